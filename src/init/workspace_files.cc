#include "init/workspace_files.h"

#include <array>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "base/json.h"
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
  SW_TRY(const std::string variables, read_one(directory.get(), kVariablesFile, kMaxVariablesFile));
  return fmt::format("{} {}\n{}{}{}", outputs.size(), triggers.size(), outputs, triggers, variables);
}

Result<WorkspaceFiles> split_files(std::string_view text) {
  std::array<std::size_t, 2> lengths{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto parsed = std::from_chars(at, end, lengths[i]);
    at = parsed.ptr;
    const bool sound = parsed.ec == std::errc() && at != end && *at == (i == 0 ? ' ' : '\n');
    if (!sound) return fail(ErrorKind::unavailable, "the job's files could not be read");
    ++at;
  }
  const std::string_view rest(at, end);
  if (rest.size() < lengths[0] || rest.size() - lengths[0] < lengths[1])
    return fail(ErrorKind::unavailable, "the job's files could not be read");
  return WorkspaceFiles{std::string(rest.substr(0, lengths[0])), std::string(rest.substr(lengths[0], lengths[1])),
                        std::string(rest.substr(lengths[0] + lengths[1]))};
}

Result<Variables> parse_variables(std::string_view json) {
  SW_TRY(const boost::json::object object, parse_object_exactly(json, kVariablesFile));
  Variables variables;
  const auto take = [&](std::string_view key, std::vector<std::pair<std::string, std::string>>& into) -> Result<void> {
    const boost::json::value* found = object.if_contains(key);
    if (found == nullptr || found->is_null()) return {};
    if (!found->is_object())
      return fail(ErrorKind::invalid,
                  fmt::format("{}: `{}` must be an object, not {}", kVariablesFile, key, kind_of(*found)));
    for (const auto& [name, value] : found->get_object()) {
      if (!wire::control::is_name(name))
        return fail(ErrorKind::invalid,
                    fmt::format("{}: a name in `{}` is no name of a variable", kVariablesFile, key));
      into.emplace_back(std::string(name), scalar_text(value).value_or(boost::json::serialize(value)));
    }
    return {};
  };
  SW_CHECK(take("vars", variables.vars));
  SW_CHECK(take("outputs", variables.outputs));
  return variables;
}

}  // namespace slipway::init
