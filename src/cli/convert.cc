#include "cli/convert.h"

#include <fcntl.h>

#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/definitions.h"
#include "cli/exit_codes.h"
#include "cli/json_writer.h"
#include "definition/limits.h"
#include "definition/reader.h"
#include "os/files.h"

namespace slipway::cli {

namespace {

struct Made {
  std::string from, text;  ///< the file, and what is in it
  definition::Converted file;
  std::filesystem::path target;  ///< empty: standard output
};

/// `My PR.yaml` stays `My PR.yaml`; a job of a registry is called after itself.
std::string file_name_of(const Made& made, bool of_registry) {
  if (!of_registry) return std::filesystem::path(made.from).stem().string() + ".yaml";
  std::string name = made.file.name;
  for (char& c : name) {
    if (c == '/' || c == ' ') c = '-';
  }
  return name + ".yaml";
}

bool is_definition_of_project(const std::string& below) {
  return below.starts_with(".slipway/") || below.starts_with(".reactorcide/");
}

// `.slipway` of a stranger's checkout may be a link, and no file is made where it leads.
Result<void> check_inside(const std::filesystem::path& project, const std::filesystem::path& directory) {
  std::error_code unreadable;
  const auto place = std::filesystem::weakly_canonical(directory, unreadable);
  const auto below =
      unreadable ? std::filesystem::path() : place.lexically_relative(std::filesystem::canonical(project, unreadable));
  if (!unreadable && !below.empty() && *below.begin() != "..") return {};
  return fail(ErrorKind::denied, directory.string() + " is a link that leads out of the project");
}

Result<std::vector<Made>> convert_one(const std::string& name, const ConvertOptions& options,
                                      const std::filesystem::path& working_dir, const std::filesystem::path& project) {
  std::vector<Made> all;
  const std::filesystem::path below = (working_dir / name).lexically_normal().lexically_relative(project);
  const bool inside = !below.empty() && !below.string().starts_with("..");
  const std::string shown = inside ? below.string() : name;
  auto text = inside && is_definition_of_project(shown)
                  ? read_of_project(project, shown)
                  : os::read_stream(working_dir / name, definition::kMaxFileBytes);
  if (!text && text.error().kind == ErrorKind::not_found) return fail(ErrorKind::not_found, "there is no file " + name);
  if (!text) return std::unexpected(std::move(text).error());
  const bool of_registry = definition::is_registry(*text);
  if (of_registry) {
    SW_TRY(std::vector<definition::Converted> jobs,
           definition::convert_registry(*text, shown, {options.project, "", options.project.empty()}));
    for (definition::Converted& job : jobs) all.push_back({shown, *text, std::move(job), {}});
  } else {
    definition::ReadOptions reading{.open = [&](const std::string& path) { return read_of_project(project, path); },
                                    .variable = {},
                                    .is_local = false};
    all.push_back({shown, *text, definition::convert(*text, shown, reading), {}});
  }
  for (Made& made : all) {
    const std::string file = file_name_of(made, of_registry);
    if (options.write) {
      made.target = project / ".slipway" / (made.file.is_job ? "jobs" : "workflows") / file;
      SW_CHECK(check_inside(project, made.target.parent_path()));
    }
    if (!options.output.empty()) made.target = working_dir / options.output / file;
  }
  return all;
}

Result<void> write_files(const std::vector<Made>& all) {
  std::set<std::filesystem::path> targets;
  for (const Made& made : all) {
    if (made.target.empty() || made.file.yaml.empty()) continue;
    std::error_code unknown;
    if (std::filesystem::exists(std::filesystem::symlink_status(made.target, unknown)))
      return fail(ErrorKind::conflict, made.target.string() + " is there already; move it, or write elsewhere with -o");
    if (!targets.insert(made.target).second)
      return fail(ErrorKind::conflict, "two files would become " + made.target.string());
  }
  for (const Made& made : all) {
    if (made.target.empty() || made.file.yaml.empty()) continue;
    SW_CHECK(os::make_directories(made.target.parent_path(), 0755));
    SW_TRY(const os::Fd file, os::open_file(made.target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    SW_CHECK(os::write_all(file.get(), made.file.yaml));
  }
  return {};
}

std::string shown_target(const Made& made, const std::filesystem::path& working_dir) {
  const std::filesystem::path relative = made.target.lexically_normal().lexically_relative(working_dir);
  return relative.empty() || relative.string().starts_with("..") ? made.target.lexically_normal().string()
                                                                 : relative.string();
}

}  // namespace

Result<ConvertAnswer> convert(const ConvertOptions& options, const std::filesystem::path& working_dir,
                              const std::filesystem::path& project, const Style& style) {
  std::vector<std::string> names = options.files;
  if (names.empty()) {
    SW_TRY(const std::vector<std::string> known, find_definitions(project));
    for (const std::string& name : known) {
      if (name.starts_with(".reactorcide/")) names.push_back((project / name).string());
    }
    if (names.empty()) return fail(ErrorKind::not_found, "no file below .reactorcide/ in " + project.string());
  }
  std::vector<Made> all;
  for (const std::string& name : names) {
    SW_TRY(std::vector<Made> made, convert_one(name, options, working_dir, project));
    for (Made& one : made) all.push_back(std::move(one));
  }
  ConvertAnswer answer;
  for (const Made& made : all) {
    if (definition::has_errors(made.file.problems)) answer.exit_code = kExitUsage;
    for (const definition::Problem& problem : made.file.problems)
      answer.told += definition::render(problem, problem.place.file == made.from ? made.text : std::string_view());
    if (made.file.is_ours) answer.told += fmt::format("{}: is in our language already\n", made.from);
  }
  if (answer.exit_code == kExitSucceeded) SW_CHECK(write_files(all));
  for (const Made& made : all) {
    if (made.file.yaml.empty()) continue;
    const std::string target = made.target.empty() ? std::string() : shown_target(made, working_dir);
    if (style.json) {
      JsonWriter json(answer.text);
      json.begin_object();
      json.field("type", "converted");
      json.field("file", made.from);
      json.field("target", target);
      json.field("yaml", made.file.yaml);
      json.end_object();
      answer.text += '\n';
    } else if (target.empty()) {
      answer.text += (answer.text.empty() ? "" : "---\n") + made.file.yaml;
    } else if (answer.exit_code == kExitSucceeded) {
      answer.text += fmt::format("{} → {}\n", made.from, target);
    }
  }
  if (options.write && answer.exit_code == kExitSucceeded && !answer.text.empty())
    answer.told += "slipway: the files they were made from are read too, until you remove them\n";
  return answer;
}

}  // namespace slipway::cli
