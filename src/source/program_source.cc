#include "source/program_source.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/hashed_name.h"
#include "base/text.h"
#include "source/git_command.h"
#include "source/git_mirror.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kMostRevision = 256;

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

ErrorKind kind_of(const std::string& name) {
  for (const ErrorKind kind : {ErrorKind::invalid, ErrorKind::not_found, ErrorKind::denied, ErrorKind::unavailable,
                               ErrorKind::exhausted, ErrorKind::conflict}) {
    if (name == to_string(kind)) return kind;
  }
  return ErrorKind::internal;
}

// `p4` → `P4`
std::string prefix_of(std::string kind) {
  for (char& c : kind) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '-') c = '_';
  }
  return kind;
}

Environment variables_for(const std::string& kind) {
  Environment variables;
  const std::string prefix = prefix_of(kind);
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view variable = *at;
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    if (variable.starts_with(prefix) || variable.starts_with("SLIPWAY_SOURCE_")) {
      variables.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
    }
  }
  return variables;
}

std::string plain(std::string_view text) { return redact(printable(text, Colour::strip)); }

}  // namespace

fs::path find_source_program(const std::string& kind, const std::string& path) {
  for (const std::string_view directory : split(path, ':')) {
    if (!directory.starts_with('/')) continue;
    const fs::path program = fs::path(directory) / ("slipway-source-" + kind);
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

Result<ProgramSource::Answer> ProgramSource::ask(const char* action, const SourceSpec& spec, const fs::path& directory,
                                                 const os::CallLimit& limit) {
  std::error_code error;
  const fs::path program = fs::canonical(program_, error);
  if (error)
    return fail(ErrorKind::unavailable, "there is no program " + program_.string() + " for " + kind_ + " sources");
  json::object request{{"protocol", 1}, {"action", action}, {"location", spec.location}, {"revision", spec.revision}};
  if (!directory.empty()) request["directory"] = directory.string();
  ToolCall call;
  call.argv = {program.string()};
  call.directory = directory;
  call.input = json::serialize(request) + "\n";
  call.network = ToolCall::Network::host;
  call.environment = variables_for(kind_);
  if (!directory.empty()) call.writable = {directory};
  if (!program.string().starts_with("/usr/")) call.readable.push_back(program.parent_path());
  for (const fs::path& path : readable_) {
    if (fs::path whole = fs::canonical(path, error); !error) call.readable.push_back(std::move(whole));
  }
  std::optional<Answer> answer;
  std::optional<Error> refused;
  bool understood = true;
  call.on_line = [&](std::string_view line) {
    boost::system::error_code bad;
    const json::value value = json::parse(json::string_view(line.data(), line.size()), bad);
    if (bad || !value.is_object()) {
      understood = false;
      return;
    }
    const json::object& object = value.get_object();
    const std::string type = text_at(object, "type");
    if (type == "result")
      answer = Answer{text_at(object, "revision"), text_at(object, "branch"), text_at(object, "url")};
    if (type == "error") refused = Error{kind_of(text_at(object, "kind")), plain(text_at(object, "message"))};
  };
  SW_TRY(const os::CommandOutput output, runner_.run(call, limit));
  const std::string name = program.filename().string();
  if (refused) return fail(refused->kind, name + ": " + refused->what);
  if (output.exit_code != 0) return std::unexpected(tool_error(name, output.exit_code, output.err));
  if (!answer) {
    return fail(ErrorKind::internal, name + " gave no result" + (understood ? "" : ", and lines that are not JSON"));
  }
  return std::move(*answer);
}

Result<SourceSpec> ProgramSource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_CHECK(check_revision(spec.revision));
  SW_TRY(const Answer answer, ask("pin", spec, {}, limit));
  if (answer.revision.empty() || answer.revision.size() > kMostRevision || !check_revision(answer.revision)) {
    return fail(ErrorKind::internal, program_.filename().string() + " named no revision");
  }
  SourceSpec pinned = spec;
  pinned.revision = answer.revision;
  pinned.branch = answer.branch;
  return pinned;
}

Result<Prepared> ProgramSource::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  SourceSpec spec = given;
  if (spec.revision.empty()) {
    SW_TRY(spec, pin(given, limit));
  }
  const auto make = [&](const fs::path& building) -> Result<std::string> {
    SW_TRY(const Answer answer, ask("fetch", spec, building, limit));
    return answer.url;
  };
  std::string url;
  const auto remember = [&](const fs::path&, const std::string& note) {
    url = note;
    return true;
  };
  const std::string key = kind_ + "-" + hashed_name({spec.location, spec.revision});
  SW_TRY(CheckoutStore::Kept kept, checkouts_.get(key, make, remember, limit));
  return Prepared{.directory = kept.directory,
                  .owner = static_cast<std::uint32_t>(::geteuid()),
                  .sha = spec.revision,
                  .branch = spec.branch,
                  .url = plain(url.empty() ? spec.location : url),
                  .git_dir = {},
                  .in_use = std::move(kept.in_use)};
}

}  // namespace slipway::source
