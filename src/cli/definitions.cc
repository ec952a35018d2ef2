#include "cli/definitions.h"

#include <set>

#include "base/text.h"
#include "cli/exit_codes.h"
#include "cli/terminal_text.h"
#include "definition/limits.h"
#include "definition/reader.h"
#include "os/files.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kMaxFiles = 1'000;

// `.slipway/workflows/ci.yaml` rather than a long absolute path, where that is what it is.
std::string shown_name(const std::filesystem::path& path, const std::filesystem::path& given,
                       const std::filesystem::path& project) {
  if (given.is_relative()) return given.string();
  const std::filesystem::path relative = path.lexically_relative(project);
  return relative.empty() || relative.string().starts_with("..") ? path.string() : relative.string();
}

DefinitionFile definition_of(std::string text, std::string name, definition::ReadResult result) {
  DefinitionFile file{.name = std::move(name),
                      .text = std::move(text),
                      .workflow = nullptr,
                      .problems = std::move(result.problems),
                      .dialect = result.dialect,
                      .secret_values = std::move(result.secret_values)};
  if (result.workflow) file.workflow = std::make_shared<const model::Workflow>(std::move(*result.workflow));
  return file;
}

Result<DefinitionFile> definition_of(Result<std::string> text, std::string name,
                                     const definition::ReadOptions& options) {
  if (!text) return std::unexpected(std::move(text).error());
  definition::ReadResult result = definition::read_workflow(*text, name, options);
  return definition_of(std::move(*text), std::move(name), std::move(result));
}

// `ci.yaml` or `ci` for `.slipway/workflows/ci.yaml`, else the most alike.
std::optional<std::string> meant_file(const std::string& name, const std::vector<std::string>& known) {
  std::vector<std::string> last_parts;
  for (const std::string& file : known) {
    const std::filesystem::path path = file;
    if (path.filename() == name || path.stem() == name) return file;
    last_parts.push_back(path.filename());
  }
  if (auto near = nearest(name, known)) return near;
  const auto near = nearest(name, last_parts);
  if (!near) return std::nullopt;
  return known[static_cast<std::size_t>(std::ranges::find(last_parts, *near) - last_parts.begin())];
}

// Puts in the place of each directory the definitions of the project that it is, or that it lies in the .slipway of.
Result<void> open_directories(std::vector<std::string>& names, const std::filesystem::path& working_dir) {
  std::vector<std::string> files;
  for (std::string& name : names) {
    const std::filesystem::path path = (working_dir / name / "").lexically_normal();
    std::error_code problem;
    if (!std::filesystem::is_directory(path, problem)) {
      files.push_back(std::move(name));
      continue;
    }
    const std::string text = path.string();
    const std::size_t inner = std::min(text.rfind("/.slipway/"), text.rfind("/.reactorcide/"));
    const std::filesystem::path root =
        inner == std::string::npos ? path : std::filesystem::path(text.substr(0, inner + 1));
    SW_TRY(const std::vector<std::string> found, find_definitions(root));
    const std::size_t before = files.size();
    for (const std::string& file : found) {
      const std::filesystem::path whole = root / file;
      if (!whole.string().starts_with(text)) continue;
      files.push_back(std::filesystem::path(name).is_relative() ? whole.lexically_relative(working_dir).string()
                                                                : whole.string());
    }
    if (files.size() == before) {
      return fail(ErrorKind::invalid,
                  fmt::format("{} is a directory without .slipway/workflows/*.yaml or .slipway/jobs/*.yaml", name));
    }
  }
  names = std::move(files);
  return {};
}

// A registry in the place of a workflow: all jobs of all its projects.
Result<void> open_registries(std::vector<DefinitionFile>& files) {
  std::vector<DefinitionFile> opened;
  for (DefinitionFile& file : files) {
    if (file.dialect != definition::Dialect::registry) {
      opened.push_back(std::move(file));
      continue;
    }
    SW_TRY(std::vector<definition::ReadResult> results,
           definition::read_registry(file.text, file.name, {.name = {}, .url = {}, .all = true}));
    for (definition::ReadResult& result : results)
      opened.push_back(definition_of(file.text, file.name, std::move(result)));
  }
  files = std::move(opened);
  return {};
}

}  // namespace

// A file that nobody named but the project itself: a link of a stranger's must not lead to one of this machine's, of
// which errors would quote lines.
Result<std::string> read_of_project(const std::filesystem::path& project, const std::string& name) {
  std::error_code missing, unreadable;
  const std::filesystem::path whole = std::filesystem::canonical(project / name, missing);
  const std::string below = whole.lexically_relative(std::filesystem::canonical(project, unreadable)).string();
  if (!missing && (unreadable || below == ".." || below.starts_with("../"))) {
    return fail(ErrorKind::denied, name + " is a link that leads out of the project");
  }
  return os::read_file(project / name, definition::kMaxFileBytes);
}

Result<std::vector<std::string>> find_definitions(const std::filesystem::path& project) {
  std::vector<std::string> found;
  for (const char* directory : {".slipway/jobs", ".slipway/workflows", ".reactorcide/jobs", ".reactorcide/workflows"}) {
    const std::size_t before = found.size();
    std::error_code problem;
    for (std::filesystem::directory_iterator entry(project / directory, problem), end; !problem && entry != end;
         entry.increment(problem)) {
      const std::string path = std::filesystem::path(directory) / entry->path().filename();
      if (!definition::is_definition_file(path)) continue;
      found.push_back(path);
      if (found.size() > kMaxFiles)
        return fail(ErrorKind::exhausted, fmt::format("more than {} files of definitions", kMaxFiles));
    }
    if (problem && problem != std::errc::no_such_file_or_directory) {
      return fail_errno(problem.value(), fmt::format("reading {}", (project / directory).string()));
    }
    std::sort(found.begin() + static_cast<std::ptrdiff_t>(before), found.end());
  }
  return found;
}

Result<std::vector<DefinitionFile>> read_definitions(const std::vector<std::string>& files,
                                                     const std::filesystem::path& working_dir,
                                                     const std::filesystem::path& project,
                                                     const definition::ReadOptions& options) {
  SW_TRY(const std::vector<std::string> known, find_definitions(project));
  definition::ReadOptions reading = options;
  reading.open = [&project](const std::string& name) { return read_of_project(project, name); };
  std::vector<DefinitionFile> read;
  for (const std::string& name : files) {
    const std::filesystem::path path = (working_dir / name).lexically_normal();
    const std::string below = path.lexically_relative(project).string();
    const bool of_project = below.starts_with(".slipway/") || below.starts_with(".reactorcide/");
    auto file =
        definition_of(of_project ? read_of_project(project, below) : os::read_stream(path, definition::kMaxFileBytes),
                      shown_name(path, name, project), reading);
    if (!file && file.error().kind == ErrorKind::not_found) {
      const auto near = meant_file(name, known);
      const std::string shown = near ? (project / *near).lexically_relative(working_dir).string() : "";
      return fail(ErrorKind::not_found,
                  fmt::format("there is no file {}{}", name, near ? fmt::format(", did you mean {}?", shown) : ""));
    }
    if (!file) return std::unexpected(std::move(file).error());
    read.push_back(std::move(*file));
  }
  if (!files.empty()) return read;
  for (const std::string& name : known) {
    SW_TRY(DefinitionFile file, definition_of(read_of_project(project, name), name, reading));
    read.push_back(std::move(file));
  }
  return read;
}

Result<std::vector<DefinitionFile>> read_registry(const std::string& file, const std::filesystem::path& working_dir,
                                                  const definition::ProjectQuery& project) {
  SW_TRY(const std::string text, os::read_stream(working_dir / file, definition::kMaxFileBytes));
  SW_TRY(std::vector<definition::ReadResult> results, definition::read_registry(text, file, project));
  std::vector<DefinitionFile> files;
  for (definition::ReadResult& result : results) files.push_back(definition_of(text, file, std::move(result)));
  return files;
}

std::vector<std::string> leave_out_broken(std::vector<DefinitionFile>& files) {
  std::vector<std::string> told;
  std::erase_if(files, [&](const DefinitionFile& file) {
    const bool theirs = file.dialect == definition::Dialect::reactorcide_job ||
                        file.dialect == definition::Dialect::reactorcide_workflow;
    const auto error = std::ranges::find(file.problems, definition::Severity::error, &definition::Problem::severity);
    if (!theirs || error == file.problems.end()) return false;
    told.push_back(fmt::format("{} is left out: {}:{}:{}: {} ({}); `slipway lint` shows more", file.name,
                               error->place.file, error->place.line, error->place.column,
                               printable(error->message, Colour::strip), error->code));
    return true;
  });
  return told;
}

bool has_errors(const std::vector<DefinitionFile>& files) {
  return std::ranges::any_of(files, [](const DefinitionFile& file) { return definition::has_errors(file.problems); });
}

std::string problems_text(const std::vector<DefinitionFile>& files, const Style& style) {
  std::string text;
  std::set<std::string> told;  // a file that others name with `job_file` is read with each of them
  for (const DefinitionFile& file : files) {
    for (const definition::Problem& problem : file.problems) {
      if (!told.insert(definition::to_json(problem)).second) continue;
      text += style.json
                  ? definition::to_json(problem)
                  : definition::render(problem, problem.place.file == file.name ? file.text : std::string_view());
      if (style.json && !text.ends_with('\n')) text += '\n';
      if (!style.json && !problem.code.empty() && problem.severity == definition::Severity::error) {
        text += fmt::format("   {}slipway help {}{}\n", dim(style.colour), problem.code, reset(style.colour));
      }
    }
  }
  return text;
}

void add_unsupported(std::vector<DefinitionFile>& files, const definition::BuildSupport& support) {
  for (DefinitionFile& file : files) {
    if (!file.workflow) continue;
    const std::vector<definition::Problem> more = definition::unsupported(*file.workflow, support);
    file.problems.insert(file.problems.end(), more.begin(), more.end());
    definition::sort_problems(file.problems);
  }
}

Result<Answer> lint(const LintOptions& options, const std::filesystem::path& working_dir,
                    const std::filesystem::path& project, const definition::BuildSupport& support, const Style& style) {
  LintOptions wanted = options;
  SW_CHECK(open_directories(wanted.files, working_dir));
  SW_TRY(std::vector<DefinitionFile> files, read_definitions(wanted.files, working_dir, project));
  SW_CHECK(open_registries(files));
  add_unsupported(files, support);
  if (files.empty()) {
    return fail(ErrorKind::not_found,
                fmt::format("{} holds no .slipway/workflows/*.yaml or .slipway/jobs/*.yaml", project.string()));
  }
  Answer answer{.text = problems_text(files, style), .exit_code = has_errors(files) ? kExitUsage : kExitSucceeded};
  if (style.json) return answer;
  std::size_t errors = 0;
  std::set<std::string> names;  // a registry is one file of several jobs
  for (const DefinitionFile& file : files) {
    names.insert(file.name);
    errors += static_cast<std::size_t>(
        std::ranges::count(file.problems, definition::Severity::error, &definition::Problem::severity));
  }
  if (!answer.text.empty()) answer.text += '\n';
  answer.text += fmt::format("{} {}, {}\n", symbol(errors > 0 ? Mark::failed : Mark::succeeded, style.colour),
                             counted(names.size(), "file"), errors == 0 ? "no errors" : counted(errors, "error"));
  return answer;
}

}  // namespace slipway::cli
