#include "init/workspace_files.h"

#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "wire/control.h"

namespace slipway::init {

namespace {

Result<std::string> read_one(int directory, const std::string& name, std::size_t most_bytes) {
  auto file = os::open_untrusted(directory, name);
  if (!file && file.error().kind == ErrorKind::not_found) return std::string();
  if (!file) return std::unexpected(file.error());
  auto text = os::read_all(file->get(), most_bytes);
  if (!text) return wrap(text.error(), name);
  return text;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> parse_outputs(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> outputs;
  std::vector<std::string_view> lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t number = i + 1;
    std::string_view line = lines[i];
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty() || line.starts_with('#')) continue;
    const std::size_t equals = line.find('=');
    const std::size_t heredoc = line.find("<<");
    const bool is_heredoc = heredoc != std::string_view::npos && heredoc < equals;
    if (!is_heredoc && equals == std::string_view::npos) {
      return fail(ErrorKind::invalid, fmt::format("outputs.env:{}: neither NAME=VALUE nor NAME<<END", number));
    }
    const std::string_view name = trim(line.substr(0, is_heredoc ? heredoc : equals));
    if (!wire::control::is_name(name)) {
      return fail(ErrorKind::invalid, fmt::format("outputs.env:{}: not a name of an output", number));
    }
    std::string value;
    if (is_heredoc) {
      const std::string_view end = trim(line.substr(heredoc + 2));
      std::size_t next = i + 1;
      for (; next < lines.size() && lines[next] != end; ++next) {
        if (next > i + 1) value += '\n';
        value.append(lines[next]);
      }
      if (next == lines.size()) {
        return fail(ErrorKind::invalid, fmt::format("outputs.env:{}: `{}` has no end `{}`", number, name, end));
      }
      i = next;
    } else {
      value = std::string(line.substr(equals + 1));
    }
    if (value.size() > wire::control::kMaxValue) {
      return fail(ErrorKind::exhausted, fmt::format("outputs.env:{}: the value of `{}` is too long", number, name));
    }
    outputs.emplace_back(std::string(name), std::move(value));
  }
  return outputs;
}

Result<std::string> read_workspace_files(const std::string& workspace) {
  const os::Fd directory(os::open_job_directory(workspace.c_str()));
  if (!directory) return fail_errno(errno, "opening " + workspace);
  SW_TRY(const std::string outputs, read_one(directory.get(), "outputs.env", kMaxOutputsFile));
  SW_TRY(const std::string triggers, read_one(directory.get(), "triggers.json", kMaxTriggersFile));
  return fmt::format("{}\n{}{}", outputs.size(), outputs, triggers);
}

Result<WorkspaceFiles> split_files(std::string_view text) {
  std::size_t length = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
  const std::string_view rest = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
  if (parsed.ec != std::errc() || !rest.starts_with('\n') || rest.size() - 1 < length) {
    return fail(ErrorKind::unavailable, "the job's files could not be read");
  }
  return WorkspaceFiles{std::string(rest.substr(1, length)), std::string(rest.substr(1 + length))};
}

}  // namespace slipway::init
