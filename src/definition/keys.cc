#include "definition/keys.h"

#include <array>

#include "definition/limits.h"

namespace slipway::definition {

namespace {

using Kind = Shape::Kind;
using Templates = Shape::Templates;

// --- Forms of values ---

constexpr Shape kText{.kind = Kind::text};
constexpr Shape kTemplate{.kind = Kind::text, .templates = Templates::allowed};
constexpr Shape kScript{.kind = Kind::text, .templates = Templates::script};
constexpr Shape kName{.kind = Kind::name};
constexpr Shape kIdentifier{.kind = Kind::identifier};
constexpr Shape kCondition{.kind = Kind::expression};
constexpr Shape kBoolean{.kind = Kind::boolean};
constexpr Shape kLateBoolean{.kind = Kind::boolean, .templates = Templates::allowed};
constexpr Shape kDuration{.kind = Kind::duration};
constexpr Shape kLateDuration{.kind = Kind::duration, .templates = Templates::allowed};
constexpr Shape kLateSize{.kind = Kind::size, .templates = Templates::allowed};
constexpr Shape kLateCpu{.kind = Kind::cpu, .templates = Templates::allowed};
constexpr Shape kValue{.kind = Kind::value};
constexpr Shape kOpaque{.kind = Kind::opaque};
constexpr Shape kOpaqueMap{.kind = Kind::map, .item = &kOpaque};
constexpr Shape kOpaqueList{.kind = Kind::list, .item = &kOpaque};

constexpr Shape kNames{.kind = Kind::list, .item = &kName, .one_alone = true};
constexpr Shape kIdentifiers{.kind = Kind::list, .item = &kIdentifier, .one_alone = true};
constexpr Shape kTexts{.kind = Kind::list, .item = &kText, .one_alone = true};
constexpr Shape kTemplates{.kind = Kind::list, .item = &kTemplate, .one_alone = true};
constexpr Shape kSomeTemplates{.kind = Kind::list, .item = &kTemplate, .one_alone = true, .least = 1};
constexpr Shape kArgv{.kind = Kind::list, .item = &kScript, .least = 1};
constexpr Shape kEnv{.kind = Kind::map, .item = &kTemplate, .names = &kIdentifier};
constexpr Shape kValues{.kind = Kind::list, .item = &kValue, .most = static_cast<long>(model::kMaxInstances)};
constexpr Shape kValueMap{.kind = Kind::map, .item = &kValue, .names = &kIdentifier};

constexpr std::array<const Shape*, 2> kShellForms = {&kScript, &kArgv};
constexpr Shape kShell{
    .kind = Kind::any_of, .forms = kShellForms, .doc = "a program with its arguments, as text or as a list"};

// --- What starts a workflow ---

constexpr std::array<std::string_view, 6> kEventNames = {"push", "pull_request", "tag", "schedule", "manual", "api"};
constexpr Shape kEventName{.kind = Kind::choice, .choices = kEventNames};
constexpr Shape kEventList{.kind = Kind::list, .item = &kEventName, .least = 1};

constexpr std::array<std::string_view, 4> kInputTypes = {"string", "number", "boolean", "choice"};
constexpr Shape kInputType{.kind = Kind::choice, .choices = kInputTypes};
constexpr std::array<Key, 5> kInputKeys = {{
    {"type", &kInputType, "what may be given", "choice", "`string`; `choice` where there are `options`"},
    {"default", &kValue, "what holds when nothing is given", "staging", "none"},
    {"options", &kTexts, "what a `choice` may be", "[staging, production]"},
    {"description", &kText, "for the person who is asked", "where to"},
    {"required", &kBoolean, "must be given", "true", "`false`"},
}};
constexpr Context kInputContext{"input", "An input or parameter",
                                "A value that whoever starts the run, or uses the template, gives.", kInputKeys};
constexpr Shape kInput{.kind = Kind::object, .may_be_empty = true, .context = &kInputContext};
constexpr Shape kInputs{.kind = Kind::map, .item = &kInput, .names = &kIdentifier};

constexpr std::array<Key, 2> kPushKeys = {{
    {"branches", &kTexts, "patterns of branches; `!` negates, the last match decides", "[main, \"release/*\"]",
     "every branch"},
    {"paths", &kTexts, "patterns of changed files; one that matches is enough", "[\"**\", \"!docs/**\"]", "every file"},
}};
constexpr Context kPushContext{"push", "on.push", "A branch was pushed to.", kPushKeys};
constexpr Shape kPush{.kind = Kind::object, .may_be_empty = true, .context = &kPushContext};

constexpr std::array<Key, 3> kPullRequestKeys = {{
    {"branches", &kTexts, "patterns of the branch that it wants to go to", "[main]", "every branch"},
    {"paths", &kTexts, "patterns of changed files", "[\"src/**\"]", "every file"},
    {"events", &kTexts, "what happened to it", "[opened, updated, reopened, closed]", "`[opened, updated, reopened]`"},
}};
constexpr Context kPullRequestContext{"pull_request", "on.pull_request",
                                      "A pull (or merge) request was opened, updated or reopened.", kPullRequestKeys};
constexpr Shape kPullRequest{.kind = Kind::object, .may_be_empty = true, .context = &kPullRequestContext};

constexpr std::array<Key, 1> kTagKeys = {{
    {"tags", &kTexts, "patterns of tags", "[\"v*\"]", "every tag"},
}};
constexpr Context kTagContext{"tag", "on.tag", "A tag was pushed.", kTagKeys};
constexpr Shape kTag{.kind = Kind::object, .may_be_empty = true, .context = &kTagContext};

constexpr Shape kCron{.kind = Kind::cron};
constexpr Shape kTimezone{.kind = Kind::timezone};
constexpr std::array<Key, 2> kScheduleKeys = {{
    {"cron", &kCron, "minute, hour, day of the month, month, day of the week", "\"30 2 * * 1-5\"", {}, {}, true},
    {"timezone", &kTimezone, "a name of the IANA time zone database", "Europe/Berlin", "`UTC`"},
}};
constexpr Context kScheduleContext{"schedule", "on.schedule", "A time came. A list: one entry a time.", kScheduleKeys};
constexpr Shape kScheduleEntry{.kind = Kind::object, .context = &kScheduleContext};
constexpr Shape kSchedule{.kind = Kind::list, .item = &kScheduleEntry, .one_alone = true, .least = 1, .most = 100};

constexpr std::array<Key, 1> kManualKeys = {{
    {"inputs", &kInputs, "what is asked for", "{target: {type: choice, options: [staging, production]}}"},
}};
constexpr Context kManualContext{"manual", "on.manual, on.api",
                                 "A person started it (`manual`), or a program by the API (`api`).", kManualKeys};
constexpr Shape kManual{.kind = Kind::object, .may_be_empty = true, .context = &kManualContext};

constexpr std::array<Key, 6> kOnKeys = {{
    {"push", &kPush, "a branch was pushed to", "{branches: [main]}"},
    {"pull_request", &kPullRequest, "a pull request was opened, updated or reopened", "{branches: [main]}"},
    {"tag", &kTag, "a tag was pushed", "{tags: [\"v*\"]}"},
    {"schedule", &kSchedule, "a time came", "[{cron: \"30 2 * * 1-5\"}]"},
    {"manual", &kManual, "a person started it", "{inputs: {target: {default: staging}}}"},
    {"api", &kManual, "a program started it", "{inputs: {target: {default: staging}}}"},
}};
constexpr Context kOnContext{
    "on", "on", "What starts the workflow. Without `on` only a person, a program or a trigger does.", kOnKeys};
constexpr Shape kOnMap{.kind = Kind::object, .context = &kOnContext};
constexpr std::array<const Shape*, 3> kOnForms = {&kEventName, &kEventList, &kOnMap};
constexpr Shape kOn{
    .kind = Kind::any_of, .forms = kOnForms, .doc = "an event, a list of events, or events with their filters"};

// --- Parts of a job ---

constexpr std::array<std::string_view, 3> kPolicies = {"queue", "latest", "cancel_running"};
constexpr Shape kPolicy{.kind = Kind::choice, .choices = kPolicies};
constexpr std::array<Key, 2> kConcurrencyKeys = {{
    {"group", &kTemplate, "what shares the one place", "\"ci-{{ branch }}\"", {}, {}, true},
    {"policy", &kPolicy,
     "`queue`: all wait their turn; `latest`: of those that wait only the newest stays; `cancel_running`: the newest "
     "ends the others",
     "cancel_running", "`queue`"},
}};
constexpr Context kConcurrencyContext{"concurrency", "concurrency", "One at a time in each group.", kConcurrencyKeys};
constexpr Shape kConcurrencyMap{.kind = Kind::object, .context = &kConcurrencyContext};
constexpr std::array<const Shape*, 2> kConcurrencyForms = {&kTemplate, &kConcurrencyMap};
constexpr Shape kConcurrency{.kind = Kind::any_of, .forms = kConcurrencyForms, .doc = "a group, or group and policy"};

constexpr Shape kPids{.kind = Kind::integer, .templates = Templates::allowed, .least = 8, .most = 4'194'304};
constexpr std::array<Key, 4> kResourceKeys = {{
    {"cpu", &kLateCpu, "processors", "2", "the worker's"},
    {"memory", &kLateSize, "main memory", "2GiB", "the worker's"},
    {"disk", &kLateSize, "what the job may write", "10GiB", "the worker's"},
    {"pids", &kPids, "processes and threads", "512", "the worker's"},
}};
constexpr Context kResourcesContext{"resources", "resources",
                                    "What the job may have at most and what a worker keeps for it.", kResourceKeys};
constexpr Shape kResources{.kind = Kind::object, .context = &kResourcesContext};

constexpr Shape kPort{.kind = Kind::integer, .least = 1, .most = 65'535};
constexpr std::array<Key, 5> kReadyKeys = {{
    {"tcp", &kPort, "a port that accepts connections", "5432"},
    {"http", &kText, "an address that answers 2xx", "http://localhost:8080/health"},
    {"log", &kText, "a text that its output has", "ready to accept"},
    {"command", &kArgv, "a command in it that succeeds", "[pg_isready]"},
    {"within", &kDuration, "how long it may take", "30s", "`30s`"},
}};
constexpr Context kReadyContext{"ready", "services.ready",
                                "When a service is ready: all that is given has to hold once.", kReadyKeys};
constexpr Shape kReady{.kind = Kind::object, .context = &kReadyContext};
constexpr std::array<Key, 5> kServiceKeys = {{
    {"name", &kName, "its host name for the job", "db", {}, {}, true},
    {"image", &kTemplate, "what it runs", "postgres:15", {}, {}, true},
    {"env", &kEnv, "its environment", "{POSTGRES_PASSWORD: x}"},
    {"command", &kArgv, "instead of the image's own", "[postgres, -c, fsync=off]", "the image's own"},
    {"ready", &kReady, "when it is ready", "{tcp: 5432, within: 30s}"},
}};
constexpr Context kServiceContext{"service", "services", "Programs that run beside the job, as a database does.",
                                  kServiceKeys};
constexpr Shape kService{.kind = Kind::object, .context = &kServiceContext};
constexpr Shape kServices{.kind = Kind::list, .item = &kService, .most = 50};

constexpr std::array<Key, 3> kSecretKeys = {{
    {"name", &kName, "of the secret", "DEPLOY_KEY", {}, {}, true},
    {"env", &kIdentifier, "the variable that gets it", "KEY", "its name"},
    {"file", &kText, "the file that gets it instead of a variable", "/job/secrets/DEPLOY_KEY"},
}};
constexpr Context kSecretContext{"secret", "secrets", "A secret by its name. Its value never stands in a definition.",
                                 kSecretKeys};
constexpr Shape kSecretMap{.kind = Kind::object, .context = &kSecretContext};
constexpr std::array<const Shape*, 2> kSecretForms = {&kName, &kSecretMap};
constexpr Shape kSecret{.kind = Kind::any_of, .forms = kSecretForms, .doc = "a name, or a name with `env` or `file`"};
constexpr Shape kSecrets{.kind = Kind::list, .item = &kSecret};

constexpr std::array<Key, 3> kCacheKeys = {{
    {"key",
     &kTemplate,
     "its name; saved when no cache of this very name was there",
     "\"deps-{{ hash('deps.lock') }}\"",
     {},
     {},
     true},
    {"restore", &kTemplates, "beginnings of names to take when the key has none, in order", "[deps-]", "none"},
    {"paths", &kSomeTemplates, "what is kept", "[.deps]", {}, {}, true},
}};
constexpr Context kCacheContext{"cache", "cache", "Files kept from run to run.", kCacheKeys};
constexpr Shape kCacheEntry{.kind = Kind::object, .context = &kCacheContext};
constexpr Shape kCache{.kind = Kind::list, .item = &kCacheEntry, .one_alone = true, .most = 50};

constexpr std::array<std::string_view, 3> kWhens = {"success", "failure", "always"};
constexpr Shape kWhen{.kind = Kind::choice, .choices = kWhens};
constexpr std::array<Key, 4> kArtifactKeys = {{
    {"name", &kTemplate, "by which other jobs and people ask for it", "dist", {}, {}, true},
    {"paths",
     &kSomeTemplates,
     "patterns below the working directory, or absolute below /job",
     "[dist/*]",
     {},
     {},
     true},
    {"when", &kWhen, "kept after which end of the job", "always", "`success`"},
    {"expires", &kDuration, "how long it is kept", "30d", "the installation's"},
}};
constexpr Context kArtifactContext{"artifact", "artifacts", "Files that the job leaves behind.", kArtifactKeys};
constexpr Shape kArtifact{.kind = Kind::object, .context = &kArtifactContext};
constexpr Shape kArtifacts{.kind = Kind::list, .item = &kArtifact, .one_alone = true, .most = 100};

constexpr Shape kAxes{.kind = Kind::map, .item = &kValues, .names = &kIdentifier, .most = 10};
constexpr Shape kCombinations{.kind = Kind::list, .item = &kValueMap};
constexpr Shape kParallelism{.kind = Kind::integer, .least = 1, .most = 10'000};
constexpr std::array<Key, 5> kMatrixKeys = {{
    {"axes", &kAxes, "names and their values; every combination becomes a job",
     "{compiler: [gcc, clang], std: [\"17\", \"20\"]}"},
    {"exclude", &kCombinations, "combinations to leave out; a part of one is enough",
     "[{compiler: clang, std: \"17\"}]", "none"},
    {"include", &kCombinations, "more values for the combinations it fits, or one more combination",
     "[{compiler: gcc, std: \"23\", experimental: true}]", "none"},
    {"max_parallel", &kParallelism, "how many run at once", "2", "all"},
    {"fail_fast", &kBoolean, "one that fails cancels the others", "false", "`true`"},
}};
constexpr Context kMatrixContext{
    "matrix", "matrix",
    "The job once for every combination of values, read as `{{ matrix.NAME }}`. At most 256 of one job.", kMatrixKeys};
constexpr Shape kMatrix{.kind = Kind::object, .context = &kMatrixContext};

constexpr std::array<const Shape*, 2> kInForms = {&kCondition, &kValues};
constexpr Shape kIn{.kind = Kind::any_of, .forms = kInForms, .doc = "a list, or an expression that gives one"};
constexpr std::array<std::string_view, 2> kInstanceNames = {"values", "numbers"};
constexpr Shape kInstanceNaming{.kind = Kind::choice, .choices = kInstanceNames};
constexpr std::array<Key, 3> kForEachKeys = {{
    {"in", &kIn, "the values, at most 1,000", "[eu, us]", {}, {}, true},
    {"as", &kIdentifier, "the environment variable that holds the value", "REGION", "`ITEM`"},
    {"names", &kInstanceNaming, "how the jobs are called: `name (VALUE)`, or `name[0]`, `name[1]`, ...", "numbers",
     "`values`"},
}};
constexpr Context kForEachContext{"for_each", "for_each",
                                  "The job once for every value of a list, read as `{{ item }}`.", kForEachKeys};
constexpr Shape kForEach{.kind = Kind::object, .context = &kForEachContext};

constexpr std::array<std::string_view, 5> kRetryOutcomes = {"failed", "timed_out", "out_of_memory", "infra_failed",
                                                            "rejected"};
constexpr Shape kRetryOutcome{.kind = Kind::choice, .choices = kRetryOutcomes};
constexpr Shape kRetryOn{.kind = Kind::list, .item = &kRetryOutcome, .one_alone = true, .least = 1};
constexpr Shape kAttempts{.kind = Kind::integer, .templates = Templates::allowed, .least = 0, .most = 100};
constexpr std::array<Key, 3> kRetryKeys = {{
    {"attempts", &kAttempts, "tries in addition to the first", "3", "`2`"},
    {"on", &kRetryOn, "after which outcomes", "[infra_failed, timed_out]",
     "`[infra_failed]`; of a step `[failed, timed_out, out_of_memory]`"},
    {"backoff", &kDuration, "the wait before the next try, doubled each time, at most 5m", "10s", "`1s`"},
}};
constexpr Context kRetryContext{"retry", "retry", "Tries again.", kRetryKeys};
constexpr Shape kRetry{.kind = Kind::object, .context = &kRetryContext};

constexpr Shape kDepth{.kind = Kind::integer, .least = 1, .most = 1'000'000};
constexpr std::array<Key, 4> kCheckoutKeys = {{
    {"depth", &kDepth, "commits of history", "1", "all"},
    {"submodules", &kBoolean, "with submodules", "true", "`false`"},
    {"lfs", &kBoolean, "with large files", "true", "`false`"},
    {"clean", &kBoolean, "without what an earlier job left", "true", "`false`"},
}};
constexpr Context kCheckoutContext{"checkout", "checkout", "How the source comes to /job/src; `none` leaves it empty.",
                                   kCheckoutKeys};
constexpr Shape kCheckoutMap{.kind = Kind::object, .context = &kCheckoutContext};
constexpr std::array<std::string_view, 1> kNone = {"none"};
constexpr Shape kCheckoutNone{.kind = Kind::choice, .choices = kNone};
constexpr std::array<const Shape*, 2> kCheckoutForms = {&kCheckoutNone, &kCheckoutMap};
constexpr Shape kCheckout{.kind = Kind::any_of, .forms = kCheckoutForms, .doc = "`none`, or the keys below"};

constexpr std::array<Key, 3> kCodeKeys = {{
    {"url", &kText, "the repository, or another place that `--source-url` takes", "https://git.example.org/ci.git",
     "this checkout", "git_url"},
    {"ref", &kText, "branch, tag or commit", "main", "its default branch", "git_ref"},
    {"path", &kText, "a directory in it, or the file to run", "ci"},
}};
constexpr Context kCodeContext{
    "code", "ci_code",
    "Job code from another place, read-only in /job/ci. `path` alone: a directory or a file of this checkout.",
    kCodeKeys};
constexpr Shape kCode{.kind = Kind::object, .context = &kCodeContext};
constexpr std::array<Key, 3> kSourceCodeKeys = {{
    {"url", &kText, "the repository, or another place that `--source-url` takes", "https://git.example.org/app.git",
     "this checkout", "git_url"},
    {"ref", &kTemplate, "branch, tag or commit", "\"refs/pull/{{ pr.number }}/head\"", "its default branch", "git_ref"},
    {"path", &kText, "a directory in it", "app"},
}};
constexpr Context kSourceCodeContext{
    "source", "source_code", "What lies in /job/src in place of this checkout. `path` alone: a directory of it.",
    kSourceCodeKeys};
constexpr Shape kSourceCode{.kind = Kind::object, .context = &kSourceCodeContext};

constexpr std::array<std::string_view, 8> kPhases = {"pre_validation",   "post_validation", "pre_source_prep",
                                                     "post_source_prep", "pre_container",   "post_container",
                                                     "on_error",         "cleanup"};
constexpr Shape kPhase{.kind = Kind::choice, .choices = kPhases};
constexpr Shape kHookPriority{.kind = Kind::integer, .least = 0, .most = 1'000};
constexpr std::array<Key, 4> kHookKeys = {{
    {"phase", &kPhase, "when", "post_source_prep", {}, {}, true},
    {"run", &kScript, "a program of the job code", "ci/hook.sh", {}, {}, true},
    {"priority", &kHookPriority, "the smaller runs first", "100", "`100`"},
    {"timeout", &kDuration, "how long it may run", "30s", "`5m`"},
}};
constexpr Context kHookContext{"hook", "hooks",
                               "Programs of the job code that run around the steps, in the job's sandbox.", kHookKeys};
constexpr Shape kHook{.kind = Kind::object, .context = &kHookContext};
constexpr Shape kHooks{.kind = Kind::list, .item = &kHook, .most = 100};

constexpr std::array<Key, 11> kKubernetesKeys = {{
    {"sidecars", &kOpaqueList, "containers beside the job's", "[{name: proxy, image: proxy:1}]"},
    {"init_containers", &kOpaqueList, "containers before the job's", "[{name: prepare, image: busybox}]"},
    {"volumes", &kOpaqueList, "volumes; `mount: PATH` mounts one", "[{name: scratch, emptyDir: {}, mount: /scratch}]"},
    {"node_selector", &kOpaqueMap, "labels of nodes", "{disk: ssd}"},
    {"affinity", &kOpaqueMap, "Kubernetes' own shape", "{nodeAffinity: {}}"},
    {"tolerations", &kOpaqueList, "Kubernetes' own shape", "[{key: ci, operator: Exists}]"},
    {"service_account", &kText, "its name", "builder"},
    {"pod_security", &kOpaqueMap, "Kubernetes' own shape", "{runAsNonRoot: true}"},
    {"network_policy", &kOpaqueMap, "Kubernetes' own shape", "{egress: []}"},
    {"resources", &kOpaqueMap, "Kubernetes' own shape", "{limits: {memory: 1Gi}}"},
    {"template", &kOpaqueMap, "a pod template that all this is laid over", "{spec: {}}"},
}};
constexpr Context kKubernetesContext{
    "kubernetes", "kubernetes", "Kubernetes' own shapes, for that backend only. The others say that they ignore it.",
    kKubernetesKeys};
constexpr Shape kKubernetes{.kind = Kind::object, .context = &kKubernetesContext};

constexpr std::array<std::string_view, 3> kNetworks = {"nat", "none", "host"};
constexpr Shape kNetwork{.kind = Kind::choice, .choices = kNetworks};
constexpr Shape kRunAs{.kind = Kind::text, .doc = "`runner`, `root`, a number, or on a step `source`"};
constexpr Shape kPriority{.kind = Kind::integer, .least = 0, .most = 100};

// --- Steps ---

constexpr std::array<std::string_view, 2> kEndChildren = {"job", "step"};
constexpr Shape kEndChildrenShape{.kind = Kind::choice, .choices = kEndChildren};
constexpr std::array<Key, 17> kStepKeys = {{
    {"name", &kName, "by which other steps and people name it", "build", "`step N`"},
    {"run", &kScript, "a script for the step's `shell`", "make -j2"},
    {"command", &kArgv, "a program and its arguments, without a shell", "[make, check]"},
    {"shell", &kShell, "what reads the script; `bash` gives `bash -euo pipefail`", "bash", "the job's"},
    {"working_dir", &kTemplate, "where it runs", "sub", "the job's"},
    {"env", &kEnv, "its environment, over the job's", "{CC: gcc}"},
    {"secrets", &kSecrets, "in addition to the job's", "[TOKEN]", "none"},
    {"run_as", &kRunAs, "the user", "root", "the job's"},
    {"timeout", &kLateDuration, "how long it may run", "10m", "the rest of the job's"},
    {"no_output_timeout", &kLateDuration, "how long it may be silent", "5m", "no limit"},
    {"parallel", &kBoolean, "runs together with the parallel steps around it; the next step waits for all of them",
     "true", "`false`"},
    {"depends_on", &kNames, "steps to wait for, instead of the order", "[unit, lint]", "the order", "needs"},
    {"condition", &kCondition, "whether it runs", "always", "everything before it succeeded", "if"},
    {"continue_on_error", &kLateBoolean, "its failure is shown and does not spread", "true", "`false`"},
    {"retry", &kRetry, "tries again", "{attempts: 2}", "none"},
    {"uses_artifacts", &kTemplates, "put below /job/inputs before it runs", "[dist]"},
    {"end_children", &kEndChildrenShape, "with whom its background processes end", "step", "`job`"},
}};
constexpr Shape kStepMap{.kind = Kind::object, .context = &kStepContext};
constexpr std::array<const Shape*, 2> kStepForms = {&kScript, &kStepMap};
constexpr Shape kStep{.kind = Kind::any_of, .forms = kStepForms, .doc = "the keys below, or only a script"};
constexpr Shape kSteps{.kind = Kind::list, .item = &kStep, .least = 1, .most = static_cast<long>(kMaxSteps)};

// --- Jobs ---

constexpr std::array<const Shape*, 2> kJobCommandForms = {&kScript, &kArgv};
constexpr Shape kJobCommand{.kind = Kind::any_of, .forms = kJobCommandForms, .doc = "a program and its arguments"};

constexpr std::array<Key, 3> kOnlyJobKeys = {{
    {"depends_on", &kNames, "jobs to wait for", "[test]", "none", "needs"},
    {"template", &kName, "the template it is made from; what the job says itself wins, maps are merged", "build"},
    {"with", &kValueMap, "values for the template's `params`", "{compiler: gcc}"},
}};
constexpr std::array<Key, 39> kSharedJobKeys = {{
    {"description", &kText, "for people", "builds and tests"},
    {"condition", &kCondition, "whether it runs", "branch == \"main\" && event == \"push\"", "`all_success`", "if"},
    {"environment", &kTemplate, "where it deploys to; approvals and branch rules hang on it", "production"},
    {"concurrency", &kConcurrency, "one at a time in each group", "{group: deploy, policy: queue}"},
    {"priority", &kPriority, "more is sooner; counts only from a trusted ref", "50", "the worker pool's"},
    {"labels", &kTemplates, "what a worker must have", "[gpu, \"arch=arm64\"]", "none"},
    {"image", &kTemplate, "an image's name, `host` (a throw-away overlay of the machine) or a directory", "debian:12",
     "the worker's; `host` in `slipway run`"},
    {"network", &kNetwork, "`nat`: own addresses, only outwards; `none`; `host` where the operator allows it", "none",
     "`nat`"},
    {"resources", &kResources, "what it may have at most", "{cpu: 2, memory: 2GiB}", "the worker's"},
    {"services", &kServices, "programs beside it", "[{name: db, image: \"postgres:15\", ready: {tcp: 5432}}]"},
    {"devices", &kTexts, "devices of the machine", "[/dev/kvm]"},
    {"run_as", &kRunAs, "the user: `runner`, `root` of the sandbox, or a number", "root", "`runner`"},
    {"workspace", &kText, "where /job lies instead", "/workspace", "`/job`"},
    {"read_only_root", &kBoolean, "only the workspace and /tmp can be written", "true", "`false`"},
    {"nested", &kBoolean, "may make its own namespaces, where the operator allows it", "true", "`false`"},
    {"kubernetes", &kKubernetes, "Kubernetes' own shapes", "{node_selector: {disk: ssd}}"},
    {"matrix", &kMatrix, "once for every combination", "{axes: {compiler: [gcc, clang]}}"},
    {"for_each", &kForEach, "once for every value", "{in: [eu, us], as: REGION}"},
    {"retry", &kRetry, "tries again", "{attempts: 3, on: [infra_failed], backoff: 10s}",
     "2 more, after `infra_failed` only"},
    {"timeout", &kLateDuration, "how long it may run", "20m", "`1h`"},
    {"no_output_timeout", &kLateDuration, "how long it may be silent", "10m", "no limit"},
    {"steps", &kSteps, "what it does, in order", "[{name: build, run: make}]"},
    {"run", &kScript, "one step: a script", "make dist"},
    {"command", &kJobCommand, "one step: a program and its arguments", "[make, dist]"},
    {"shell", &kShell, "what reads the scripts; `bash` gives `bash -euo pipefail`", "bash", "`sh -e`"},
    {"working_dir", &kTemplate, "where steps run", "sub", "/job/src"},
    {"env", &kEnv, "environment of all steps", "{CC: gcc}"},
    {"presets", &kNames,
     "sets of variables, the workflow's or the built-in `reactorcide`, merged in order under its own `env`",
     "[release]"},
    {"secrets", &kSecrets, "secrets that it gets", "[DEPLOY_KEY]", "none"},
    {"hooks", &kHooks, "programs around the steps", "[{phase: post_source_prep, run: ci/hook.sh}]"},
    {"continue_on_error", &kLateBoolean, "its failure is shown and does not spread", "true", "`false`"},
    {"checkout", &kCheckout, "how the source comes", "{depth: 1}", "all history"},
    {"ci_code", &kCode, "where job code comes from", "{path: ci}", "this checkout"},
    {"source_code", &kSourceCode, "where source comes from", "{url: \"https://git.example.org/app.git\", ref: main}",
     "this checkout"},
    {"cache", &kCache, "files kept from run to run", "[{key: deps, paths: [.deps]}]"},
    {"artifacts", &kArtifacts, "files that it leaves behind", "[{name: dist, paths: [dist/*]}]"},
    {"tests", &kTemplates, "JUnit files that it leaves: its test results", "[\"out/**/*.xml\"]", "none"},
    {"uses_artifacts", &kTemplates, "artifacts put below /job/inputs", "[dist]"},
    {"outputs", &kIdentifiers, "values that it gives to later jobs", "[version]"},
}};
constexpr std::array<Key, 1> kJobNameKeys = {{
    {"name", &kName, "by which others depend on it; below a `jobs` mapping the mapping's key", "test",
     "a single job's file name"},
}};

constexpr Context kSharedJobContext{"job", "", "", kSharedJobKeys};
constexpr Context kNamelessJobContext{"job", "", "", kOnlyJobKeys, &kSharedJobContext};

constexpr Shape kParams{.kind = Kind::map, .item = &kInput, .names = &kIdentifier};
constexpr std::array<Key, 1> kTemplateKeys = {{
    {"params", &kParams, "what whoever uses it may or must say; read as `{{ params.NAME }}`",
     "{compiler: {default: gcc}}"},
}};
constexpr Shape kTemplateMap{.kind = Kind::object, .context = &kTemplateContext};
constexpr Shape kTemplateList{.kind = Kind::map, .item = &kTemplateMap, .names = &kName};

constexpr Shape kPresetMap{.kind = Kind::map, .item = &kEnv, .names = &kName};
constexpr Shape kDefaults{.kind = Kind::object, .context = &kDefaultsContext};
constexpr Shape kJobMap{.kind = Kind::object, .context = &kJobContext};
constexpr Shape kJobList{.kind = Kind::list, .item = &kJobMap, .least = 1, .most = static_cast<long>(kMaxFileJobs)};
constexpr Shape kJobsByName{
    .kind = Kind::map, .item = &kJobMap, .names = &kName, .least = 1, .most = static_cast<long>(kMaxFileJobs)};
constexpr std::array<const Shape*, 2> kJobsForms = {&kJobList, &kJobsByName};
constexpr Shape kJobs{.kind = Kind::any_of, .forms = kJobsForms, .doc = "a list, or a mapping of name to job"};

constexpr std::array<Key, 12> kWorkflowKeys = {{
    {"name", &kName, "for people and for status checks", "ci", "the file's name"},
    {"description", &kText, "for people", "builds and tests"},
    {"on", &kOn, "what starts it", "{push: {branches: [main]}}", "only a person, a program or a trigger"},
    {"env", &kEnv, "environment of all jobs", "{CI: \"true\"}"},
    {"presets", &kPresetMap, "sets of variables that jobs take by name", "{release: {CFLAGS: -O2}}"},
    {"vars", &kValueMap, "values that expressions read as `vars.NAME`", "{version: \"1.2\"}"},
    {"concurrency", &kConcurrency, "one run at a time in each group",
     "{group: \"ci-{{ branch }}\", policy: cancel_running}"},
    {"defaults", &kDefaults, "keys that hold for every job that does not say otherwise; maps are merged",
     "{image: host, timeout: 20m}"},
    {"templates", &kTemplateList, "jobs with parameters, to be used by `template`",
     "{build: {params: {cc: {default: gcc}}, run: make}}"},
    {"ci_code", &kCode, "where job code comes from", "{path: ci}", "this checkout"},
    {"source_code", &kSourceCode, "where source comes from", "{url: \"https://git.example.org/app.git\"}",
     "this checkout"},
    {"jobs", &kJobs, "what is done", "[{name: test, run: make check}]", {}, {}, true},
}};
constexpr std::array<Key, 2> kJobFileKeys = {{
    {"on", &kOn, "what starts it", "{push: {branches: [main]}}", "only a person, a program or a trigger"},
    {"templates", &kTemplateList, "jobs with parameters", "{build: {run: make}}"},
}};

constexpr Shape kWorkflowMap{.kind = Kind::object, .context = &kWorkflowContext};
constexpr Shape kJobFileMap{.kind = Kind::object, .context = &kJobFileContext};
constexpr std::array<Key, 6> kFileKeys = {{
    {"workflow", &kWorkflowMap, "a graph of jobs", "{name: ci, jobs: [{name: test, run: make check}]}"},
    {"job", &kJobFileMap, "one job; `on`, `env`, `templates` and `concurrency` may stand in it or beside it",
     "{name: test, run: make check}"},
    {"on", &kOn, "beside `job`: what starts it", "{push: {branches: [main]}}"},
    {"env", &kEnv, "beside `job`: environment under the job's own", "{CI: \"true\"}"},
    {"templates", &kTemplateList, "beside `job`: jobs with parameters", "{build: {run: make}}"},
    {"concurrency", &kConcurrency, "beside `job`: one run at a time in each group", "{group: \"ci-{{ branch }}\"}"},
}};

}  // namespace

constexpr Context kJobContext{"job", "A job", "One sandbox with ordered steps.", kJobNameKeys, &kNamelessJobContext};
constexpr Context kJobFileContext{"job", "A file with one job", "`job:` at the top.", kJobFileKeys, &kJobContext};
constexpr Context kStepContext{"step", "A step",
                               "One command of a job. A plain text in the place of a step is its `run`.", kStepKeys};
constexpr Context kTemplateContext{
    "template", "A template",
    "A job with parameters: all keys of a job but `name`, `depends_on`, `template` and `with`, and these.",
    kTemplateKeys, &kSharedJobContext};
constexpr Context kDefaultsContext{
    "defaults", "Defaults", "All keys of a job but `name`, `depends_on`, `template` and `with`; see [a job](#job).",
    kSharedJobKeys};
constexpr Context kWorkflowContext{"workflow", "A workflow", "A graph of jobs.", kWorkflowKeys};
constexpr Context kFileContext{"file", "A file",
                               "A definition file is YAML 1.2 with one of `workflow` and `job` at the top.", kFileKeys};

std::span<const Context* const> contexts() {
  static constexpr std::array<const Context*, 29> kContexts = {
      &kFileContext,       &kWorkflowContext, &kOnContext,         &kPushContext,        &kPullRequestContext,
      &kTagContext,        &kScheduleContext, &kManualContext,     &kInputContext,       &kJobFileContext,
      &kJobContext,        &kStepContext,     &kTemplateContext,   &kConcurrencyContext, &kResourcesContext,
      &kServiceContext,    &kReadyContext,    &kSecretContext,     &kCacheContext,       &kArtifactContext,
      &kMatrixContext,     &kForEachContext,  &kRetryContext,      &kCheckoutContext,    &kCodeContext,
      &kSourceCodeContext, &kHookContext,     &kKubernetesContext, &kDefaultsContext};
  return kContexts;
}

const Key* find_key(const Context& context, std::string_view name) {
  const Key* found = nullptr;
  for_each_key(context, [&](const Key& key) {
    if (found == nullptr && (key.name == name || (!key.alias.empty() && key.alias == name))) found = &key;
  });
  return found;
}

}  // namespace slipway::definition
