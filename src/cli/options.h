#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/definition.h"

/// What a person asked for on the command line, as plain data. Nothing here is looked up, opened or run.
namespace slipway::cli {

using Pairs = std::vector<std::pair<std::string, std::string>>;  ///< `K=V` flags, in the order given

enum class Verbosity { quiet, normal, verbose };
enum class ColourChoice { automatic, always, never };
enum class Format { text, json, dot };

/// A flag that sets a row of the settings table (configuration.h), which it overrides.
struct SettingFlag {
  std::string key;    ///< `max_parallel`
  std::string value;  ///< as written
  std::string flag;   ///< `--max-parallel`
};

struct CommonOptions {
  std::filesystem::path directory;  ///< -C; empty: where the process is
  Verbosity verbosity = Verbosity::normal;
  bool json = false;
  bool no_input = false;  ///< never ask; what would be asked for is an error
  bool print_config = false;
  std::vector<SettingFlag> settings;
  std::vector<std::string> words;  ///< the whole command line, as it was given
};

/// Which definition, which part of it, and on what event: the same for run, plan, explain and graph.
struct Selection {
  std::string file;               ///< empty: every workflow in `.slipway/` that `event` would start
  std::vector<std::string> jobs;  ///< empty: all
  bool alone = false;             ///< `--no-deps`: the jobs without what they depend on
  model::EventKind event = model::EventKind::push;
  bool event_given = false;
  std::string event_file;
  std::string commit;  ///< empty: the working tree as it is
  std::string base;    ///< revision that path filters compare with; empty: merge-base of upstream or default branch
  Pairs env, inputs, matrix;
  bool secrets_with_source = false;  ///< `--accept-risk secrets-with-source`
  /// A job without a file; all empty unless `--job-command` was given.
  std::string git_url, git_ref, job_command;
  /// Code of any kind from elsewhere; its own `.slipway/` is read unless a file or a command is given.
  std::string source_url, source_ref;
  /// Jobs of a registry's project, not of files: `--registry FILE`, `--project NAME` (empty: the checkout's).
  std::string registry, project;
  /// `run-job`: `file` is one job, whose `${env:NAME}` are variables of this process.
  bool is_job_file = false;
};

struct RunOptions {
  Selection what;
  std::vector<std::string> secrets;  ///< names; values from the environment, else asked for without echo
  std::string secret_file;
  bool dry_run = false;
  std::vector<std::string> breaks;  ///< where jobs are held for people: `on-failure`, `STEP`, `before:STEP`
};

struct LintOptions {
  std::vector<std::string> files;  ///< empty: all below `.slipway/`
};
/// `slipway convert`: files of other dialects in our language.
struct ConvertOptions {
  std::vector<std::string> files;  ///< empty: all below `.reactorcide/`
  bool write = false;              ///< into the project's `.slipway/`
  std::string output;              ///< a directory; empty: standard output
  std::string project;             ///< of a registry; empty: every project
};
struct PlanOptions {
  Selection what;
  bool resolved = false;
};
struct ExplainOptions {
  std::string job;
  std::string run;  ///< set: decisions of this run of the history, not of a plan made now
  Selection what;
};
struct GraphOptions {
  Selection what;
  Format format = Format::text;
};
struct SchemaOptions {};
/// `words`: what a script asks for, `runs`, `jobs`, ... (--words); then `shell` is empty.
struct CompletionOptions {
  std::string shell;  ///< bash, zsh or fish
  std::string words;
  std::string file;  ///< whose jobs; empty: of every definition
};
struct DoctorOptions {};
struct HelpCodeOptions {
  std::string code;  ///< `E012`
};
struct RunsListOptions {
  std::size_t limit = 20;
  std::string workflow;
  std::optional<model::Outcome> outcome;
  bool all_projects = false;
};
struct RunsViewOptions {
  std::string run;
};
struct RunsRemoveOptions {
  std::vector<std::string> runs;
  std::optional<Duration> older_than;
  bool all = false;
  bool all_projects = false;  ///< with `all` or `older_than`
  bool yes = false;
};
struct RunsArtifactsOptions {
  std::string run;
  std::string name;  ///< empty: list them
  std::filesystem::path output;
};
struct RunsTestsOptions {
  std::string run;
  enum class Which { summary, all, failed, flaky, slowest } which = Which::summary;
};
struct RunsReportOptions {
  std::string run;
  std::filesystem::path output;  ///< empty: slipway-RUN.html here; `-`: standard output
};
struct ImagesListOptions {};
struct ImagesRemoveOptions {
  std::vector<std::string> images;  ///< names, ids or their beginnings
};
struct ImagesPruneOptions {
  bool all = false;  ///< else down to `images.size`
};
struct LogsOptions {
  std::string run;
  std::string job;             ///< empty: all jobs
  std::string step;            ///< name; empty: all steps
  std::string service;         ///< the log of this service of the job, and not the job's own
  std::optional<int> attempt;  ///< empty: the last
  std::string group;           ///< only lines of groups of this name
  bool raw = false;            ///< marks of groups and annotations as they were printed
  std::string grep;            ///< extended regular expression; empty: all lines
  bool ignore_case = false;
  std::uint64_t since_line = 0;  ///< from 1; counted in each job, with `step` in that step
  std::optional<std::uint64_t> tail;
  bool failed_only = false;  ///< steps that failed
  bool timestamps = false;
  bool follow = false;
};
/// A job that runs now; what is empty is found where only one fits. `run` alone may be a job's name.
struct LiveChoice {
  std::string run, job;
};
struct AttachOptions {
  LiveChoice which;
  std::vector<std::string> command;  ///< empty: a shell
  bool terminal = false;             ///< for `command` too
  bool list = false;                 ///< only the jobs that can be attached to
};
struct ResumeOptions {
  LiveChoice which;
  std::string how;  ///< continue, retry or abort
};
/// What of a stored run is run again: all of it where nothing is said.
struct RunsRerunOptions {
  std::string run;
  std::vector<std::string> jobs;  ///< these and what depends on them
  bool failed = false;            ///< what did not succeed, and what depends on it
  std::string from_step;
  RunOptions options;  ///< but for `what`, which is the stored run's
};
struct RunsShellOptions {
  std::string run, job;
  std::vector<std::string> command;  ///< empty: a shell
  bool terminal = false;             ///< for `command` too
  RunOptions options;                ///< its secrets
};
struct PrintConfigOptions {};
/// The answer is known without doing anything: `--help`, `--version`.
struct ShowText {
  std::string text;
};

using Command =
    std::variant<ShowText, RunOptions, LintOptions, PlanOptions, ExplainOptions, GraphOptions, SchemaOptions,
                 CompletionOptions, DoctorOptions, HelpCodeOptions, RunsListOptions, RunsViewOptions, RunsRemoveOptions,
                 RunsArtifactsOptions, LogsOptions, PrintConfigOptions, ImagesListOptions, ImagesRemoveOptions,
                 ImagesPruneOptions, RunsTestsOptions, RunsReportOptions, ConvertOptions, AttachOptions, ResumeOptions,
                 RunsRerunOptions, RunsShellOptions>;

struct Invocation {
  CommonOptions common;
  Command command;
};

/// Reads the arguments behind the program's name. Errors: `invalid`, ready to be shown, with the nearest command or
/// flag; the process then ends with kExitUsage. Cost: only the parser of the named command is built (under 1 ms).
Result<Invocation> parse_arguments(const std::vector<std::string>& arguments);

}  // namespace slipway::cli
