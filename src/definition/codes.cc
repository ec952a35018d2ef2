#include "definition/codes.h"

#include <array>

#include <fmt/format.h>

namespace slipway::definition {

namespace {

// Sorted by code. Examples are whole enough to be read on their own; codes_test.cc reads those of E0xx.
constexpr Code kCodes[] = {
    {"E001", "the file is too large",
     "A definition file may have 1 MiB. Limits keep a hostile file from stopping the server that reads it.", "",
     "Divide the workflow into several files, or use `templates` and `matrix` instead of repeating jobs."},
    {"E002", "the file is not plain UTF-8 text",
     "Definition files are UTF-8 without control characters but line ends and tabs. A NUL byte or Latin-1 text ends "
     "the reading.",
     "", "Save the file as UTF-8. In double quotes, control characters can be written as escapes (`\"\\e\"`)."},
    {"E003", "this is not YAML",
     "The file cannot be read as YAML 1.2, from this place on. Often a value needs quotes or the indentation does not "
     "fit.",
     "job:\n  run: echo note: done", "job:\n  run: 'echo note: done'"},
    {"E004", "a tab cannot indent YAML",
     "YAML is indented by spaces. Behind the indentation, as in a script, tabs are fine.", "job:\n\trun: make",
     "job:\n  run: make"},
    {"E005", "a key is given twice", "Of two values for one key only one could hold, so neither does.",
     "job:\n  run: make\n  run: make check", "job:\n  run: make check"},
    {"E006", "aliases grow out of bounds",
     "An alias (`*x`) counts as often as it is used, and cannot stand inside what it names.", "",
     "Write the values out, or use `presets` and `templates`."},
    {"E007", "something is too long, too deep or too many",
     "Everything has a limit: the reference ends with the list of them.", "",
     "Divide the work into more jobs, workflows or files."},
    {"E008", "a part of YAML that is not used here",
     "Tags (`!!str`), merge keys (`<<`) and several documents in a file are not read: they have no counterpart in the "
     "JSON Schema.",
     "job:\n  env: {V: !!str 5}\n  run: make", "job:\n  env: {V: \"5\"}\n  run: make"},
    {"E009", "a value that begins with {{ needs quotes", "To YAML, `{` begins a mapping.",
     "job:\n  env: {B: {{ branch }}}\n  run: make", "job:\n  env: {B: \"{{ branch }}\"}\n  run: make"},
    {"E010", "neither workflow nor job at the top",
     "A file begins with `workflow:` or `job:`. Beside `job` there may be `on`, `env`, `templates` and `concurrency`; "
     "beside `workflow` nothing.",
     "jobs:\n  - {name: test, run: make check}", "workflow:\n  jobs:\n    - {name: test, run: make check}"},
    {"E011", "a key is missing", "Without this key the rest makes no sense.",
     "job:\n  run: make\n  cache: [{key: deps}]", "job:\n  run: make\n  cache: [{key: deps, paths: [.deps]}]"},
    {"E012", "unknown key", "A key that nobody reads is most often a typing mistake, and would silently do nothing.",
     "job:\n  run: make\n  timout: 10m", "job:\n  run: make\n  timeout: 10m"},
    {"E013", "a value of the wrong kind",
     "Types are strict: a number in quotes is a text, `yes` is a text, a list is not a single value.",
     "job:\n  run: make\n  read_only_root: yes", "job:\n  run: make\n  read_only_root: true"},
    {"E014", "not one of the words that may stand here", "Only the listed words mean something here.",
     "job:\n  run: make\n  network: off", "job:\n  run: make\n  network: none"},
    {"E015", "not a duration",
     "A duration has a unit: `ms`, `s`, `m`, `h`, `d`, and larger units come first. A bare number could mean seconds "
     "or minutes.",
     "job:\n  run: make\n  timeout: 10", "job:\n  run: make\n  timeout: 10m"},
    {"E016", "not a size", "A size has a unit: k M G T count in 1000s, Ki Mi Gi Ti in 1024s, with or without B.",
     "job:\n  run: make\n  resources: {memory: 2048}", "job:\n  run: make\n  resources: {memory: 2GiB}"},
    {"E017", "not a possible number",
     "A whole number in the range that is shown; for `cpu` a number as 2 or 0.5, or thousandths as 500m.",
     "job:\n  run: make\n  resources: {cpu: two}", "job:\n  run: make\n  resources: {cpu: 2}"},
    {"E018", "not a possible name or value",
     "Names become parts of paths, variables and addresses, so some signs are left out. Numbers that would change when "
     "written again (1.10, 007) need quotes.",
     "job:\n  env: {MY-VAR: x}\n  run: make", "job:\n  env: {MY_VAR: x}\n  run: make"},
    {"E019", "two things that exclude each other", "Only one of them can hold.",
     "job:\n  run: make\n  steps: [make check]", "job:\n  steps: [make, make check]"},
    {"E020", "an expression cannot stand in a script",
     "The value of an expression may come from anyone: a branch name or a title can hold `$(...)`. Put into a script "
     "it would be run. In an environment variable it stays a value.",
     "job:\n  run: echo {{ branch }}", "job:\n  env: {BRANCH: \"{{ branch }}\"}\n  run: echo \"$BRANCH\""},
    {"E021", "an expression cannot stand here",
     "`{{ }}` is read in texts and amounts of jobs. Names that others refer to, secrets, and what starts a workflow "
     "must be known when the file is read.",
     "job:\n  run: make\n  network: \"{{ branch }}\"", "job:\n  run: make\n  network: none"},
    {"E022", "the expression cannot be read",
     "The reference has the grammar of expressions. Text needs quotes; `&&`, `||` and `!` are the logical operators.",
     "job:\n  condition: branch = main\n  run: make", "job:\n  condition: branch == \"main\"\n  run: make"},
    {"E023", "an unknown name in an expression",
     "Every name is checked when the file is read: it would never silently be empty in a run.",
     "job:\n  env: {B: \"{{ brnch }}\"}\n  run: make", "job:\n  env: {B: \"{{ branch }}\"}\n  run: make"},
    {"E024", "types that do not go together",
     "Nothing is converted: `\"3\" == 3` is an error, not false. Only `null` may be compared with everything.",
     "job:\n  condition: run.number == \"3\"\n  run: make", "job:\n  condition: run.number == 3\n  run: make"},
    {"E025", "a function that is unknown or called wrongly",
     "The reference has all functions. Status functions may stand only in a `condition`.",
     "job:\n  condition: startswith(branch, \"v\")\n  run: make",
     "job:\n  condition: starts_with(branch, \"v\")\n  run: make"},
    {"E026", "a condition that is not true or false", "A text is neither true nor false; compare it with something.",
     "job:\n  condition: branch\n  run: make", "job:\n  condition: branch != \"\"\n  run: make"},
    {"E030", "a name is used twice", "Others refer to jobs and services by name.",
     "workflow:\n  jobs:\n    - {name: a, run: make}\n    - {name: a, run: make}",
     "workflow:\n  jobs:\n    - {name: a, run: make}\n    - {name: b, run: make}"},
    {"E031", "it depends on a job that is not there", "`depends_on` names jobs of the same workflow.",
     "workflow:\n  jobs:\n    - {name: test, run: make}\n    - {name: dist, run: make, depends_on: [tset]}",
     "workflow:\n  jobs:\n    - {name: test, run: make}\n    - {name: dist, run: make, depends_on: [test]}"},
    {"E032", "jobs wait for each other", "None of them could ever start.",
     "workflow:\n  jobs:\n    - {name: a, run: make, depends_on: [b]}\n    - {name: b, run: make, depends_on: [a]}",
     "workflow:\n  jobs:\n    - {name: a, run: make}\n    - {name: b, run: make, depends_on: [a]}"},
    {"E033", "two steps have one name", "Steps of a job are referred to by name.",
     "job:\n  steps:\n    - {name: a, run: make}\n    - {name: a, run: make}",
     "job:\n  steps:\n    - {name: a, run: make}\n    - {name: b, run: make}"},
    {"E034", "it depends on a step that is not there", "A step's `depends_on` names steps of the same job.",
     "job:\n  steps:\n    - {name: a, run: make}\n    - {name: b, run: make, depends_on: [c]}",
     "job:\n  steps:\n    - {name: a, run: make}\n    - {name: b, run: make, depends_on: [a]}"},
    {"E035", "a step waits for one that does not stand before it", "Steps stand in an order in which they can run.",
     "job:\n  steps:\n    - {name: a, run: make, depends_on: [b]}\n    - {name: b, run: make}",
     "job:\n  steps:\n    - {name: b, run: make}\n    - {name: a, run: make, depends_on: [b]}"},
    {"E036", "there is nothing to do",
     "A job needs `steps`, `run` or `command`, or an image with an entrypoint of its own; a step needs `run` or "
     "`command`.",
     "workflow:\n  jobs:\n    - {name: a}", "workflow:\n  jobs:\n    - {name: a, run: make}"},
    {"E037", "a condition asks about something it does not wait for",
     "When a condition is decided, only what the job or step depends on has surely ended.",
     "workflow:\n  jobs:\n    - {name: a, run: make}\n    - {name: b, run: make, condition: failed(a)}",
     "workflow:\n  jobs:\n    - {name: a, run: make}\n    - {name: b, run: make, depends_on: [a], condition: "
     "failed(a)}"},
    {"E040", "there is no such template", "Templates stand in the `templates` of the file.", "job: {template: build}",
     "job:\n  template: build\n  templates: {build: {run: make}}"},
    {"E041", "the template has no such parameter", "`with` gives values for the template's `params`.",
     "job:\n  template: build\n  with: {cc: gcc}\n  templates: {build: {run: make}}",
     "job:\n  template: build\n  with: {cc: gcc}\n  templates: {build: {params: {cc: {}}, run: make}}"},
    {"E042", "a parameter is missing or does not fit", "A parameter without `default` must be given, and by its type.",
     "job:\n  template: build\n  templates: {build: {params: {cc: {}}, run: make}}",
     "job:\n  template: build\n  with: {cc: gcc}\n  templates: {build: {params: {cc: {}}, run: make}}"},
    {"E043", "an input or parameter is declared wrongly", "A `choice` has `options`; the default is a possible value.",
     "job:\n  run: make\n  on: {manual: {inputs: {to: {type: choice}}}}",
     "job:\n  run: make\n  on: {manual: {inputs: {to: {options: [a, b]}}}}"},
    {"E044", "there is no such preset", "Presets stand in the `presets` of the workflow, the project or the registry.",
     "workflow:\n  jobs: [{name: a, run: make, presets: [fast]}]",
     "workflow:\n  presets: {fast: {CFLAGS: -O2}}\n  jobs: [{name: a, run: make, presets: [fast]}]"},
    {"E050", "the matrix makes no sense", "Every axis has values, each once, and `exclude` speaks of axes.",
     "job:\n  run: make\n  matrix: {axes: {cc: []}}", "job:\n  run: make\n  matrix: {axes: {cc: [gcc, clang]}}"},
    {"E051", "the matrix is too large", "A job has at most 256 combinations.", "",
     "Take an axis into a job of its own, or list the wanted combinations by `include`."},
    {"E052", "for_each wants a list", "A list, or an expression that gives one, as an output that holds a JSON list.",
     "job:\n  run: make\n  for_each: {in: branch == \"main\"}", "job:\n  run: make\n  for_each: {in: [eu, us]}"},
    {"E055", "not a cron line",
     "Five fields: minute, hour, day of the month, month, day of the week; each `*`, numbers, ranges and steps.",
     "job:\n  run: make\n  on: {schedule: [{cron: \"61 * * * *\"}]}",
     "job:\n  run: make\n  on: {schedule: [{cron: \"0 * * * *\"}]}"},
    {"E056", "not a time zone",
     "A name of the IANA time zone database. Abbreviations as CET mean different times in different places and "
     "seasons.",
     "job:\n  run: make\n  on: {schedule: [{cron: \"0 2 * * *\", timezone: CET}]}",
     "job:\n  run: make\n  on: {schedule: [{cron: \"0 2 * * *\", timezone: Europe/Berlin}]}"},
    {"E060", "a secret is asked for wrongly",
     "A secret goes into one variable or into one file directly in /job/secrets, which is in memory only. A step of "
     "`run_as: source` gets none.",
     "job:\n  run: make\n  secrets: [{name: KEY, file: /tmp/key}]",
     "job:\n  run: make\n  secrets: [{name: KEY, file: /job/secrets/KEY}]"},
    {"E061", "not a possible path",
     "Caches and artifacts lie below the working directory or /job; the workspace is an absolute path.",
     "job:\n  run: make\n  artifacts: [{name: dist, paths: [../dist]}]",
     "job:\n  run: make\n  artifacts: [{name: dist, paths: [dist]}]"},
    {"E062", "two artifacts of one name", "The second would replace the first.",
     "job:\n  run: make\n  artifacts: [{name: a, paths: [x]}, {name: a, paths: [y]}]",
     "job:\n  run: make\n  artifacts: [{name: a, paths: [x, y]}]"},
    {"E063", "an artifact that no job makes", "`uses_artifacts` names artifacts of other jobs of the workflow.",
     "workflow:\n  jobs:\n    - {name: a, run: make, artifacts: [{name: dist, paths: [x]}]}\n    - {name: b, run: "
     "make, depends_on: [a], uses_artifacts: [dits]}",
     "workflow:\n  jobs:\n    - {name: a, run: make, artifacts: [{name: dist, paths: [x]}]}\n    - {name: b, run: "
     "make, depends_on: [a], uses_artifacts: [dist]}"},
    {"E064", "not a place that code can come from",
     "`url` is a URL without a login, or an absolute path; `path` lies below the checkout; `ref` goes with a `url`.",
     "job:\n  run: make\n  source_code: {ref: main}",
     "job:\n  run: make\n  source_code: {url: \"https://git.example.org/app.git\", ref: main}"},
    {"E070", "a key that files may not set",
     "In files of Reactorcide these keys are the server's own: a file that sets them would raise its own rights.",
     "name: a\njob: {command: make}\napproval_id: 3", "name: a\njob: {command: make}"},
    {"E071", "a job_file that cannot be read",
     "It lies below the project or in .reactorcide/jobs: no absolute path, no `..`, no link that leads out.",
     "name: ci\non: {events: [push]}\njobs: {a: {job_file: ../a.yaml}}",
     "name: ci\non: {events: [push]}\njobs: {a: {command: make}}"},
    {"E072", "a reference that cannot be put in",
     "`${secret:PATH:KEY}` is the whole value of a variable, and becomes the secret PATH_KEY. `${env:NAME}` names a "
     "variable of this machine.",
     "name: a\njob: {command: make}\nenvironment: {URL: \"db://${secret:db:password}@host\"}",
     "name: a\njob: {command: make}\nenvironment: {PASSWORD: \"${secret:db:password}\"}"},
    {"E074", "the value of a secret stands in a file",
     "It is masked in this run, and everybody who reads the file knows it. Give secrets by --secret or --secret-file.",
     "job_command: make\nsecrets: [{name: TOKEN, value: abc}]", "job:\n  run: make\n  secrets: [TOKEN]"},
    {"E076", "something without an equal in our language",
     "`slipway convert` said it in another way, or left it out; a comment in the file tells which.", "",
     "Read the comments of the new file."},
    {"E077", "an argument that looks like a part of a shell's language",
     "In a file of Reactorcide, a `command` of one line without `$NAME` runs without a shell: `a && b` calls `a` with "
     "two arguments.",
     "name: a\njob: {command: make && make check}", "name: a\njob: {command: sh -c 'make && make check'}"},
    {"E078", "a variable of this machine that is not put in",
     "`${env:NAME}` stands for a variable of whoever calls `slipway run-job`. Elsewhere it stays as it is written: a "
     "repository's files must not read your environment.",
     "job_command: make\njob_env: {H: \"${env:HOME}\"}", "Take `slipway run-job FILE`, or `--env NAME=VALUE`."},
    {"E079", "a registry in the place of a workflow", "A file of `projects` holds jobs of many repositories.",
     "projects: []", "Take `slipway run --registry FILE`, which runs the jobs of this checkout's project."},
    {"E102", "this image cannot be run here",
     "`--backend docker` runs images that it has or pulls by name, and no others: not `host`, no directories, and no "
     "layouts or archives (`oci:`, `docker-archive:`), which `skopeo copy IMAGE docker-daemon:NAME:TAG` puts into "
     "Docker.",
     "image: host", "image: debian:12"},
    {"E103", "code from another place cannot be used here",
     "This version runs the definition and the source of one checkout.", "", "Leave `ci_code` and `source_code` out."},
    {"E105", "run_as: source is not possible here",
     "The step needs a sandbox of its own with another user id, which `--backend native` makes where slipway runs as "
     "root. It is refused, not run beside job code.",
     "", "Run slipway as root, or put untrusted work into a job that has no secrets."},
    {"E106", "devices cannot be given here", "What runs the sandboxes here gives no devices of the machine to a job.",
     "", ""},
    {"E110", "a key without effect here",
     "The key chooses among workers or configures another backend. The job runs all the same: this is a note, not an "
     "error.",
     "", ""},
    {"E111", "untrusted source would run beside secrets",
     "The text of a job's steps, or its job code, comes from a fork's pull request, and the job holds secrets: whoever "
     "opened it could take them.",
     "",
     "Take the workflow from a place that you trust: name a FILE of yours, which is never the fork's, with "
     "`--source-url` "
     "for the fork's code; keep job code apart with `ci_code`; let the fork's code be built by steps that say `run_as: "
     "source`, or by `slipway sandbox`; or give the job no secrets. `--accept-risk secrets-with-source` runs it all "
     "the "
     "same, and the run's record says so."},
    {"E112", "what untrusted source may have written would come beside secrets",
     "A job with secrets takes in an artifact that a fork's source could write: a program in it would find the "
     "secrets. Or outputs of a job that may run such source, or the pull request's `pr.title`, `pr.head`, `branch`, "
     "`actor`, choose its `image`, a service's, its `working_dir`, or the `paths` of its caches and artifacts.",
     "",
     "Build and use it in one job, the build as a step that says `run_as: source`; or pass it on from outside of "
     "/job/src "
     "of a job that keeps its source apart. `--accept-risk secrets-with-source` runs it all the same."},
    {"E113", "a fork names another place for code, or an image of this machine",
     "`ci_code` and `source_code` with a `url` are fetched with the rights of whoever runs Slipway, and an "
     "`image` that is a directory, a layout (`oci:`), an archive, of the local Docker (`docker-daemon:`) or named by "
     "its "
     "id shows files of this machine. The text of a fork's pull request may not choose what that is; `host` and names "
     "of registries are allowed. Docker takes a name of hexadecimal digits alone for an id: write `cafe:latest`.",
     "",
     "Name a workflow file of yours, with `--source-url` for the fork's code; an image of this "
     "machine may be given by `--image`."},
};

}  // namespace

std::span<const Code> codes() { return kCodes; }

const Code* find_code(std::string_view code) {
  const auto found = std::ranges::find(kCodes, code, &Code::code);
  return found == std::end(kCodes) ? nullptr : found;
}

namespace {

std::string indented(std::string_view text, std::string_view by) {
  std::string made(by);
  for (const char c : text) {
    made += c;
    if (c == '\n') made += by;
  }
  return made;
}

// An example is YAML; advice is a sentence.
bool is_sentence(std::string_view text) { return text.ends_with('.'); }

}  // namespace

std::string explain_code(const Code& code) {
  std::string text = fmt::format("{}: {}\n\n{}\n", code.code, code.title, code.explanation);
  if (!code.wrong.empty()) text += fmt::format("\nwrong:\n{}\n", indented(code.wrong, "    "));
  if (is_sentence(code.right))
    text += fmt::format("\n{}\n", code.right);
  else if (!code.right.empty())
    text += fmt::format("\nright:\n{}\n", indented(code.right, "    "));
  return text;
}

std::string errors_markdown() {
  std::string text =
      "# Errors by code\n\n"
      "`slipway help CODE` prints the same. E0xx: the definition; E1xx: planning, and what is allowed or supported "
      "here;\n"
      "E2xx: running.\n\n"
      "<!-- Made from src/definition/codes.cc: change it there, then run the tests with SLIPWAY_ACCEPT=1. -->\n";
  for (const Code& code : codes()) {
    text += fmt::format("\n## {}: {}\n\n{}\n", code.code, code.title, code.explanation);
    if (!code.wrong.empty()) text += fmt::format("\n```yaml\n# wrong\n{}\n```\n", code.wrong);
    if (is_sentence(code.right))
      text += fmt::format("\n{}\n", code.right);
    else if (!code.right.empty())
      text += fmt::format("\n```yaml\n# right\n{}\n```\n", code.right);
  }
  return text;
}

}  // namespace slipway::definition
