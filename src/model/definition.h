#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/expression.h"

/// What users write, read into one model: every dialect ends here. Values that may hold `{{ }}` are Templates;
/// they are resolved per job instance (model/plan.h). All of this is plain data.
namespace slipway::model {

template <class T>
using Named = std::vector<std::pair<std::string, T>>;  ///< a mapping that keeps its order

using TemplateMap = Named<Template>;

enum class EventKind { push, pull_request, tag, schedule, manual, api };
std::string_view to_string(EventKind kind);
std::optional<EventKind> event_kind_of(std::string_view text);

struct InputDefinition {  // also a template's `params`
  enum class Type { string, number, boolean, choice } type = Type::string;
  std::optional<Value> default_value;
  std::vector<std::string> options;
  std::string description;
  bool required = false;
};

struct Schedule {
  std::string cron;
  std::string timezone = "UTC";
};

struct Trigger {  // one key of `on`
  EventKind event = EventKind::push;
  std::vector<std::string> branches, tags, paths, events;
  std::vector<Schedule> schedules;
  Named<InputDefinition> inputs;
  Place place;
};

struct Concurrency {
  Template group;
  enum class Policy { queue, latest, cancel_running } policy = Policy::queue;
};

enum class Network { nat, none, host };

struct Resources {
  std::optional<double> cpus;
  std::optional<std::uint64_t> memory_bytes, disk_bytes, pids;
};

struct SecretUse {
  std::string name;
  std::string env;   ///< the variable; empty when it is a file
  std::string file;  ///< the path in the sandbox; empty when it is a variable
  Place place;
};

struct CacheDefinition {
  Template key;
  std::vector<Template> restore;  ///< key prefixes, tried in order
  std::vector<Template> paths;
  Place place;
};

/// Of artifacts, in files and on a step's socket: a file's name to whoever gets them.
bool is_artifact_name(std::string_view name);
inline constexpr std::string_view kArtifactNameRule =
    "1 to 128 letters (a to z, A to Z), digits and `._- +@(),`, not beginning with `.` or `-`";

struct ArtifactDefinition {
  Template name;
  std::vector<Template> paths;  ///< globs below working_dir of the job, or absolute below /job
  enum class When { success, failure, always } when = When::success;
  std::optional<Duration> expires;
  Place place;
};

struct Readiness {
  std::optional<int> tcp;
  std::string http, log;
  std::vector<std::string> command;
  Duration within = std::chrono::seconds(30);
};

struct Service {
  std::string name;
  Template image;
  TemplateMap env;
  std::vector<std::string> command;
  std::optional<Readiness> ready;
  Place place;
};

inline constexpr std::size_t kMaxCombinations = 256;  ///< of a matrix, before `exclude`
inline constexpr std::size_t kMaxInstances = 1'000;   ///< of one job, by its for_each

struct Matrix {
  Named<std::vector<Value>> axes;
  std::vector<Named<Value>> exclude, include;
  std::optional<int> max_parallel;
  bool fail_fast = true;
  Place place;
};

struct ForEach {
  std::variant<std::vector<Value>, ExpressionPtr> in;
  std::string as = "ITEM";  ///< the environment variable; `item` in expressions
  bool numbered = false;    ///< instances are `name[0]`, `name[1]`, ..., not `name (VALUE)`
  Place place;
};

/// Typed outcomes. `infra_failed` never blames the author.
enum class Outcome { succeeded, failed, timed_out, cancelled, out_of_memory, infra_failed, rejected, skipped };
std::string_view to_string(Outcome outcome);
std::optional<Outcome> outcome_of(std::string_view text);
/// failed, timed_out, out_of_memory, infra_failed, rejected are failures; cancelled and skipped are neither.
Ending ending_of(Outcome outcome);

struct Retry {
  int attempts = 2;  ///< tries in addition to the first
  std::vector<Outcome> on = {Outcome::infra_failed};
  Duration backoff = std::chrono::seconds(1);  ///< doubled after each try, at most 5 min
};
/// How long the next try waits after `tries` of them, from 1.
Duration backoff_after(const Retry& retry, int tries);

struct RunAs {
  enum class Kind { runner, root, number, source } kind = Kind::runner;
  std::uint32_t uid = 0;  ///< for `number`
};

/// What runs: one of a shell script, an argv, or the image's own entrypoint.
struct Script {
  std::string text;
};
struct Argv {
  std::vector<std::string> words;
};
using Action = std::variant<Script, Argv>;

struct StepDefinition {
  std::string name;
  Action action;
  std::vector<std::string> shell;  ///< empty: the job's
  std::optional<Template> working_dir;
  TemplateMap env;
  std::vector<SecretUse> secrets;
  std::optional<RunAs> run_as;
  std::optional<Duration> timeout, no_output_timeout;
  bool parallel = false;
  std::optional<std::vector<std::string>> depends_on;
  ExpressionPtr condition;  ///< null: all before it succeeded
  bool continue_on_error = false;
  std::optional<Retry> retry;
  std::vector<Template> uses_artifacts;
  bool end_children = false;  ///< `end_children: step`: background children end with the step, not with the job
  Place place;
};

struct Checkout {
  bool none = false;
  std::optional<int> depth;
  bool submodules = false, lfs = false, clean = false;
};

/// Whether code may be believed. A stranger's, a fork's pull request say, may not. On its way it only gets weaker.
enum class Trust { trusted, untrusted };
constexpr Trust weaker(Trust a, Trust b) { return a == Trust::untrusted ? a : b; }

struct CodeLocation {  // ci_code, source_code
  std::string url;     ///< empty: the checkout that the definition is part of
  Template ref;        ///< of a ci_code literal: job code is named by the text alone
  std::string path;
  Place place;
};

/// When a step runs within its job. Hooks and plugins stand around the job's own steps, in this order; those that only
/// an end brings about (model/step_plan.h) come last. In
/// JobSpec::steps the job's own steps stand first all the same.
enum class Phase {
  pre_validation,
  post_validation,
  pre_source_prep,
  post_source_prep,
  pre_container,
  steps,  ///< of the job itself
  post_container,
  on_error,
  cleanup,
};
std::string_view to_string(Phase phase);
std::optional<Phase> phase_of(std::string_view text);

struct Hook {
  Phase phase = Phase::pre_validation;
  std::string run;
  int priority = 100;  ///< the smaller runs first
  std::optional<Duration> timeout;
  Place place;
};

/// A key whose content this build reads and checks but leaves to a backend (`kubernetes`).
struct Opaque {
  std::string json;
  Place place;
};

struct JobDefinition {
  std::string name, description;
  std::vector<std::string> depends_on;
  ExpressionPtr condition;  ///< null: all_success
  std::optional<Template> environment;
  std::optional<Concurrency> concurrency;
  std::optional<int> priority;
  std::vector<Template> labels;
  std::optional<Template> image;
  std::optional<Network> network;
  Resources resources;
  std::vector<Service> services;
  std::vector<std::string> devices;
  std::optional<RunAs> run_as;
  std::string workspace;  ///< empty: /job
  bool read_only_root = false;
  bool nested = false;
  std::optional<Opaque> kubernetes;
  std::optional<Matrix> matrix;
  std::optional<ForEach> for_each;
  std::optional<Retry> retry;
  std::optional<Duration> timeout, no_output_timeout;
  std::vector<StepDefinition> steps;
  bool image_entrypoint = false;  ///< an image and nothing to run: its own entrypoint
  std::vector<std::string> shell;
  std::optional<Template> working_dir;
  TemplateMap env;
  std::vector<std::string> presets;
  std::vector<SecretUse> secrets;
  std::vector<Hook> hooks;
  bool continue_on_error = false;
  Checkout checkout;
  std::optional<CodeLocation> ci_code, source_code;
  std::vector<CacheDefinition> cache;
  std::vector<ArtifactDefinition> artifacts;
  std::vector<Template> tests;  ///< globs of JUnit files
  std::vector<Template> uses_artifacts;
  std::vector<std::string> outputs;
  Named<Value> params;  ///< values of the template it came from, read as `params.X`
  Place place;
  Trust trust = Trust::trusted;  ///< of this text: of the commit that it was read from

  /// Numbers, durations, sizes and booleans that were written with `{{ }}`, by where they stand (`timeout`,
  /// `resources.memory`, `steps.2.continue_on_error`, steps counted from 0). Their own members are not set: settle()
  /// (settle.h) sets them once the names are known.
  std::map<std::string, Template> late;

  /// Where each key that was written stands, for errors about things a build or backend cannot honour.
  std::map<std::string, Place> places;
  /// Keys that hold because of `defaults`, `templates` or the language, not because the job says so:
  /// key → where from ("defaults at ci.yaml:12", "template build", "built in"). For `plan --resolved`.
  std::map<std::string, std::string> origins;
};

/// A job that may be asked for by name: `templates` of a workflow.
struct JobTemplate {
  Named<InputDefinition> params;
  JobDefinition job;
};

struct Workflow {
  std::string name, description;
  std::string file;            ///< as given by the user, for messages
  bool is_single_job = false;  ///< a `job:` file
  /// Not empty: the jobs of all files of this group that an event starts are one run, and this is its name, where
  /// `{repo}` stands for the repository's.
  std::string group;
  std::vector<Trigger> on;
  TemplateMap env;
  std::map<std::string, TemplateMap> presets;
  Named<Value> vars;
  std::optional<Concurrency> concurrency;
  std::map<std::string, JobTemplate> templates;
  std::optional<CodeLocation> ci_code, source_code;
  std::vector<JobDefinition> jobs;  ///< defaults, templates and aliases already applied; in file order
};

}  // namespace slipway::model
