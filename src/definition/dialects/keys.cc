#include "definition/dialects/keys.h"

#include <array>

#include "definition/limits.h"

namespace slipway::definition {

namespace {

using Kind = Shape::Kind;

// `{{` has no meaning in these files, so no shape refuses it.
constexpr Shape kText{.kind = Kind::text, .templates = Shape::Templates::allowed};
constexpr Shape kAny{.kind = Kind::opaque};
constexpr Shape kTexts{.kind = Kind::list, .item = &kText, .one_alone = true};
constexpr Shape kBoolean{.kind = Kind::boolean};
constexpr Shape kSeconds{.kind = Kind::integer, .least = 0, .most = kMostSeconds};
constexpr Shape kPriority{.kind = Kind::integer, .least = -1'000'000, .most = 1'000'000};
constexpr Shape kNamesAndValues{.kind = Kind::map, .item = &kAny};
constexpr Shape kOpaqueMap{.kind = Kind::map, .item = &kAny};

constexpr std::array<std::string_view, 6> kEvents = {
    "push", "pull_request_opened", "pull_request_updated", "pull_request_merged", "pull_request_closed", "tag_created"};
constexpr Shape kEvent{.kind = Kind::choice, .choices = kEvents};
constexpr Shape kEventList{.kind = Kind::list, .item = &kEvent, .one_alone = true};
constexpr std::array<Key, 2> kTriggerKeys = {{
    {"events", &kEventList, "what starts it", "[push, pull_request_opened]"},
    {"branches", &kTexts, "patterns of branches; of a pull request the base", "[main, \"feature/*\"]"},
}};
constexpr Context kTriggerContext{"trigger", "", "", kTriggerKeys};
constexpr Shape kTriggers{.kind = Kind::object, .may_be_empty = true, .context = &kTriggerContext};

constexpr std::array<Key, 2> kPathKeys = {{
    {"include", &kTexts, "patterns of changed files", "[\"src/**\"]"},
    {"exclude", &kTexts, "patterns of files that do not count", "[\"docs/**\"]"},
}};
constexpr Context kPathContext{"paths", "", "", kPathKeys};
constexpr Shape kPaths{.kind = Kind::object, .may_be_empty = true, .context = &kPathContext};

constexpr std::array<Key, 2> kAmountKeys = {{
    {"request", &kText, "what is kept for it", "500m"},
    {"limit", &kText, "at most", "2"},
}};
constexpr Context kAmountContext{"amount", "", "", kAmountKeys};
constexpr Shape kAmountMap{.kind = Kind::object, .may_be_empty = true, .context = &kAmountContext};
constexpr std::array<const Shape*, 2> kAmountForms = {&kText, &kAmountMap};
constexpr Shape kAmount{.kind = Kind::any_of, .forms = kAmountForms, .doc = "`request` and `limit`"};
constexpr std::array<Key, 2> kResourceKeys = {{
    {"cpu", &kAmount, "processors", "{limit: 2}"},
    {"memory", &kAmount, "main memory", "{limit: 4Gi}"},
}};
constexpr Context kResourceContext{"resources", "", "", kResourceKeys};
constexpr Shape kResources{.kind = Kind::object, .may_be_empty = true, .context = &kResourceContext};

constexpr std::array<Key, 1> kRunAsKeys = {{{"user", &kText, "runner, root, N or N:M", "runner"}}};
constexpr Context kRunAsContext{"run_as", "", "", kRunAsKeys};
constexpr Shape kRunAs{.kind = Kind::object, .may_be_empty = true, .context = &kRunAsContext};
constexpr std::array<Key, 2> kRunLocalKeys = {{
    {"as_runner", &kBoolean, "as the runner", "true"},
    {"user", &kText, "as this user", "host"},
}};
constexpr Context kRunLocalContext{"run_local", "", "", kRunLocalKeys};
constexpr Shape kRunLocal{.kind = Kind::object, .may_be_empty = true, .context = &kRunLocalContext};

constexpr std::array<std::string_view, 3> kCapabilityNames = {"docker", "builder", "gpu"};
constexpr Shape kCapability{.kind = Kind::choice, .choices = kCapabilityNames};
constexpr Shape kCapabilities{.kind = Kind::list, .item = &kCapability, .one_alone = true};
constexpr Shape kArgv{.kind = Kind::list, .item = &kText, .least = 1};
constexpr std::array<const Shape*, 2> kCommandForms = {&kText, &kArgv};
constexpr Shape kCommand{.kind = Kind::any_of, .forms = kCommandForms, .doc = "a command"};

// What a job is told in every one of these dialects.
constexpr std::array<Key, 13> kSharedKeys = {{
    {"image", &kText, "what it runs in", "golang:1.26"},
    {"command", &kCommand, "what it does", "make test"},
    {"code_dir", &kText, "where the source lies", "/job/src"},
    {"job_dir", &kText, "where it runs", "/job/src"},
    {"working_dir", &kText, "where it runs", "/job/src"},
    {"disable_run_local", &kBoolean, "not on a person's machine", "true"},
    {"capabilities", &kCapabilities, "what it needs of a worker", "[docker]"},
    {"image_pull_secrets", &kTexts, "logins of a registry", "[]"},
    {"run_as", &kRunAs, "the user", "{user: runner}"},
    {"worker_class", &kText, "which workers", "large"},
    {"characteristics", &kOpaqueMap, "which workers", "{arch: arm64}"},
    {"resources", &kResources, "what it may have", "{cpu: {limit: 2}}"},
    {"run_local", &kRunLocal, "on a person's machine", "{user: host}"},
}};
constexpr Context kSharedContext{"job", "", "", kSharedKeys};

constexpr std::array<Key, 7> kGraphKeys = {{
    {"timeout", &kSeconds, "seconds", "600"},
    {"priority", &kPriority, "more is sooner", "5"},
    {"raw_command", &kBoolean, "without the runner around it", "true"},
    {"depends_on", &kTexts, "jobs to wait for", "[build]", {}, "needs"},
    {"condition", &kText, "whether it runs", "all_success"},
    {"for_each", &kTexts, "once for every value", "[eu, us]"},
    {"item_var", &kText, "the variable that holds the value", "REGION"},
}};
constexpr Context kGraphContext{"job", "", "", kGraphKeys, &kSharedContext};
constexpr Shape kJobMap{.kind = Kind::object, .context = &kGraphContext};

constexpr std::array<Key, 6> kJobFileKeys = {{
    {"name", &kText, "by which others know it", "test", {}, {}, true},
    {"description", &kText, "for people", "tests"},
    {"triggers", &kTriggers, "what starts it", "{events: [push]}", {}, "on"},
    {"paths", &kPaths, "which files start it", "{include: [\"src/**\"]}"},
    {"job", &kJobMap, "what it does", "{command: make test}", {}, {}, true},
    {"environment", &kNamesAndValues, "its environment", "{PORT: 8080}"},
}};
constexpr Context kTheirJobFileContext{"job file", "", "", kJobFileKeys};

constexpr std::array<Key, 5> kEntryKeys = {{
    {"name", &kText, "by which others know it", "test"},
    {"description", &kText, "for people", "tests"},
    {"job_file", &kText, "a job's own file", "test-go.yaml"},
    {"job", &kJobMap, "what it does", "{command: make test}"},
    {"environment", &kNamesAndValues, "its environment", "{PORT: 8080}"},
}};
constexpr Context kEntryContext{"job", "", "", kEntryKeys, &kGraphContext};
constexpr Shape kEntry{.kind = Kind::object, .context = &kEntryContext};
constexpr Shape kEntryList{.kind = Kind::list, .item = &kEntry, .least = 1, .most = static_cast<long>(kMaxFileJobs)};
constexpr Shape kEntriesByName{.kind = Kind::map, .item = &kEntry, .least = 1, .most = static_cast<long>(kMaxFileJobs)};
constexpr std::array<const Shape*, 2> kEntryForms = {&kEntryList, &kEntriesByName};
constexpr Shape kEntries{.kind = Kind::any_of, .forms = kEntryForms, .doc = "a list, or a mapping of name to job"};
constexpr std::array<Key, 7> kWorkflowFileKeys = {{
    {"id", &kText, "a short name for programs", "pr-checks"},
    {"name", &kText, "for people and for status checks", "PR checks", {}, {}, true},
    {"description", &kText, "for people", "checks"},
    {"on", &kTriggers, "what starts it", "{events: [pull_request_opened]}", {}, "triggers"},
    {"paths", &kPaths, "which files start it", "{include: [\"src/**\"]}"},
    {"vars", &kNamesAndValues, "values of the whole workflow", "{region: eu}"},
    {"jobs", &kEntries, "what is done", "{build: {command: make}}", {}, {}, true},
}};
constexpr Context kWorkflowFileContext{"workflow", "", "", kWorkflowFileKeys};

// --- Flat files ---

constexpr std::array<std::string_view, 6> kSourceTypes = {"git", "copy", "tarball", "hg", "svn", "none"};
constexpr Shape kSourceType{.kind = Kind::choice, .choices = kSourceTypes};
constexpr std::array<Key, 4> kSourceKeys = {{
    {"type", &kSourceType, "of what kind", "git"},
    {"url", &kText, "where it is", "https://git.example.org/app.git"},
    {"ref", &kText, "branch, tag or commit", "main"},
    {"path", &kText, "a directory", "app"},
}};
constexpr Context kSourceContext{"source", "", "", kSourceKeys};
constexpr Shape kSource{.kind = Kind::object, .may_be_empty = true, .context = &kSourceContext};
constexpr std::array<std::string_view, 2> kCheckoutModes = {"isolated", "shared"};
constexpr Shape kCheckoutMode{.kind = Kind::choice, .choices = kCheckoutModes};
constexpr std::array<Key, 1> kCheckoutKeys = {{{"mode", &kCheckoutMode, "one checkout or a shared one", "isolated"}}};
constexpr Context kCheckoutContext{"checkout", "", "", kCheckoutKeys};
constexpr Shape kCheckout{.kind = Kind::object, .may_be_empty = true, .context = &kCheckoutContext};
constexpr std::array<Key, 2> kGitKeys = {{
    {"url", &kText, "the repository", "https://git.example.org/app.git", {}, "git_url"},
    {"ref", &kText, "branch, tag or commit", "main", {}, "git_ref"},
}};
constexpr Context kGitContext{"git", "", "", kGitKeys};
constexpr Shape kGit{.kind = Kind::object, .may_be_empty = true, .context = &kGitContext};
constexpr std::array<Key, 1> kCodePathKeys = {
    {{"path", &kText, "a directory in it, or the file to run", "pipelines/test.py"}}};
constexpr Context kCodeContext{"code", "", "", kCodePathKeys, &kGitContext};
constexpr Shape kCode{.kind = Kind::object, .context = &kCodeContext};
constexpr std::array<Key, 2> kSecretKeys = {{
    {"name", &kText, "the variable", "TOKEN", {}, {}, true},
    {"value", &kText, "its value", "...", {}, {}, true},
}};
constexpr Context kSecretContext{"secret", "", "", kSecretKeys};
constexpr Shape kSecretMap{.kind = Kind::object, .context = &kSecretContext};
constexpr Shape kSecrets{.kind = Kind::list, .item = &kSecretMap};

constexpr std::array<Key, 16> kFlatKeys = {{
    {"name", &kText, "by which people know it", "test"},
    {"description", &kText, "for people", "tests"},
    {"command_prefix", &kText, "what reads a command of several lines", "bash -c"},
    {"environment", &kNamesAndValues, "its environment", "{PORT: 8080}"},
    {"source", &kSource, "what it runs on", "{type: git, url: \"https://git.example.org/app.git\"}"},
    {"checkout", &kCheckout, "how the source comes", "{mode: isolated}"},
    {"timeout_seconds", &kSeconds, "how long it may run", "600", {}, "timeout"},
    {"cpu_limit", &kText, "processors", "2"},
    {"memory_limit", &kText, "main memory", "4Gi"},
    {"job_command", &kText, "what it does: a shell script", "make test && make build"},
    {"job_env", &kNamesAndValues, "its environment", "{CI: \"true\"}"},
    {"git", &kGit, "what it runs on", "{url: \"https://git.example.org/app.git\", ref: main}"},
    {"secrets", &kSecrets, "secrets, in plain text", "[{name: TOKEN, value: ...}]"},
    {"ci_code", &kCode, "where job code comes from", "{git_url: \"https://git.example.org/ci.git\", path: test.py}"},
    {"source_code", &kCode, "where source comes from", "{git_url: \"https://git.example.org/app.git\"}"},
    {"job_image", &kText, "what it runs in", "golang:1.26"},
}};
constexpr Context kFlatContext{"job", "", "", kFlatKeys, &kSharedContext};

// --- A registry ---

constexpr std::array<std::string_view, 3> kRegistryEvents = {"push", "pull_request", "tag"};
constexpr Shape kRegistryEvent{.kind = Kind::choice, .choices = kRegistryEvents};
constexpr Shape kRegistryEventList{.kind = Kind::list, .item = &kRegistryEvent, .one_alone = true};
constexpr std::array<Key, 8> kRegistryJobKeys = {{
    {"name", &kText, "by which people know it", "test", {}, {}, true},
    {"events", &kRegistryEventList, "what starts it", "[pull_request, push]"},
    {"branches", &kTexts, "patterns of branches; of a pull request the base", "[main]"},
    {"job_image", &kText, "what it runs in", "golang:1.26"},
    {"job_command", &kText, "what it does: a shell script", "make test", {}, {}, true},
    {"timeout", &kSeconds, "seconds", "600"},
    {"priority", &kPriority, "more is sooner", "5"},
    {"secrets", &kTexts, "names of secrets", "[TOKEN]"},
}};
constexpr Context kRegistryJobContext{"job", "", "", kRegistryJobKeys};
constexpr Shape kRegistryJob{.kind = Kind::object, .context = &kRegistryJobContext};
constexpr Shape kRegistryJobs{.kind = Kind::list, .item = &kRegistryJob};
constexpr std::array<Key, 4> kProjectKeys = {{
    {"name", &kText, "of the project", "app", {}, {}, true},
    {"vcs_url", &kText, "its repository", "https://git.example.org/app.git"},
    {"default_branch", &kText, "its main branch", "main"},
    {"jobs", &kRegistryJobs, "its jobs", "[{name: test, job_command: make test}]"},
}};
constexpr Context kProjectContext{"project", "", "", kProjectKeys};
constexpr Shape kProject{.kind = Kind::object, .context = &kProjectContext};
constexpr Shape kProjects{.kind = Kind::list, .item = &kProject, .most = static_cast<long>(kMaxFileJobs)};
constexpr std::array<Key, 1> kRegistryKeys = {
    {{"projects", &kProjects, "all projects", "[{name: app, jobs: []}]", {}, {}, true}}};
constexpr Context kRegistryContext{"registry", "", "", kRegistryKeys};

}  // namespace

constexpr Shape kReactorcideJobFile{.kind = Kind::object, .context = &kTheirJobFileContext};
constexpr Shape kReactorcideWorkflowFile{.kind = Kind::object, .context = &kWorkflowFileContext};
constexpr Shape kFlatJobFile{.kind = Kind::object, .context = &kFlatContext};
constexpr Shape kRegistryFile{.kind = Kind::object, .context = &kRegistryContext};

}  // namespace slipway::definition
