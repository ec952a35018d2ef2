// docs/language.md out of the table of keys.
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/expression_parser.h"
#include "definition/keys.h"
#include "definition/limits.h"
#include "definition/schema.h"

namespace slipway::definition {

namespace {

using Kind = Shape::Kind;

std::string words_of(const Shape& shape);

std::string plain_words(const Shape& shape) {
  switch (shape.kind) {
    case Kind::name: return "name";
    case Kind::identifier: return "variable name";
    case Kind::expression: return "expression";
    case Kind::boolean: return "true or false";
    case Kind::integer: return fmt::format("number {}–{}", shape.least, shape.most);
    case Kind::cpu: return "processors";
    case Kind::size: return "size";
    case Kind::duration: return "duration";
    case Kind::cron: return "cron line";
    case Kind::timezone: return "time zone";
    case Kind::value: return "text, number, true, false or null";
    case Kind::opaque: return "anything";
    case Kind::list: return fmt::format("list of {}{}", words_of(*shape.item), shape.one_alone ? ", or one" : "");
    case Kind::map:
      return shape.names == nullptr ? std::string("mapping")
                                    : fmt::format("mapping of {} to {}", words_of(*shape.names), words_of(*shape.item));
    case Kind::object: return fmt::format("[{}](#{})", shape.context->name, shape.context->name);
    default: return "text";
  }
}

std::string words_of(const Shape& shape) {
  if (shape.kind == Kind::choice) {
    std::vector<std::string> choices;
    for (const std::string_view choice : shape.choices) choices.push_back(fmt::format("`{}`", choice));
    return join(choices, ", ");
  }
  if (shape.kind == Kind::any_of) {
    std::vector<std::string> forms;
    for (const Shape* form : shape.forms) forms.push_back(words_of(*form));
    return join(forms, " or ");
  }
  return shape.doc.empty() ? plain_words(shape) : std::string(shape.doc);
}

bool may_hold_expression(const Shape& shape) {
  if (shape.templates == Shape::Templates::allowed) return true;
  if (shape.kind == Kind::object) return false;
  if (shape.item != nullptr && may_hold_expression(*shape.item)) return true;
  return std::ranges::any_of(shape.forms, [](const Shape* form) { return may_hold_expression(*form); });
}

// A `|` would end the table's cell.
std::string cell(std::string_view text) {
  std::string made;
  for (const char c : text) made += c == '|' ? std::string("\\|") : std::string(1, c);
  return made;
}

std::string keys_table(std::span<const Key> keys) {
  std::string text = "| key | value | `{{ }}` | what | without it |\n| --- | --- | --- | --- | --- |\n";
  for (const Key& key : keys) {
    const std::string_view without = key.required ? "must be given" : key.standard;
    text += fmt::format("| `{}` | {} | {} | {}; as `{}` | {} |\n", key.name, cell(words_of(*key.shape)),
                        may_hold_expression(*key.shape) ? "yes" : "", cell(key.doc), cell(key.example), cell(without));
  }
  return text;
}

std::string context_section(const Context& context) {
  std::string text = fmt::format("\n<a id=\"{}\"></a>\n### {}\n\n{}\n\n",
                                 &context == &kJobFileContext ? "job_file" : context.name, context.title, context.doc);
  if (&context == &kDefaultsContext) return text;
  text += keys_table(context.keys);
  if (&context == &kJobContext) {
    for (const Context* part = context.also; part != nullptr; part = part->also)
      text += keys_table(part->keys).substr(keys_table({}).size());
  } else if (context.also != nullptr) {
    text += "\nAnd all keys of [a job](#job).\n";
  }
  return text;
}

constexpr std::string_view kIntroduction = R"(# The definition language

Every key of a workflow or job file. `slipway schema` prints the same as a JSON Schema for editors; `slipway lint` checks files.

<!-- Made from src/definition/keys.cc: change it there, then run the tests with SLIPWAY_ACCEPT=1. -->

Workflows lie in `.slipway/workflows/`, single jobs in `.slipway/jobs/`, as `*.yaml` or `*.yml`. Files are UTF-8 and YAML 1.2:
`yes` and `on` are texts, a number in quotes is a text. Unknown keys are errors.

## Rules

1. No expression enters a script. `{{ }}` stands in every text and amount of a job but `run`, `command`, `shell`, `hooks`,
   `secrets`, `depends_on` and `on`. To use a value in a script, put it into `env` and write `"$NAME"`. A literal `{{` is
   written `{{ "{{" }}`.
2. `run` is a script for the `shell` (`sh -e`; `bash` gives `bash -euo pipefail`); `command` is a program with its arguments,
   without a shell.
3. Durations have a unit (`90s`, `10m`, `1h30m`, `7d`). Sizes have one too: k M G T count in 1000s, Ki Mi Gi Ti in 1024s, with or
   without B. Processors are `2`, `0.5` or `500m`.
4. Steps run in order. Consecutive steps with `parallel: true` run together, and the next step waits for all of them. A step's
   `depends_on` replaces the order for that step; it names earlier steps. After a failure the remaining steps are skipped, unless
   their `condition` says otherwise.
5. A job without `condition` runs when everything it depends on succeeded. So does a job with one that calls no status function,
   if the condition holds too. Failed are failed, timed_out, out_of_memory, infra_failed and rejected, after the last try;
   cancelled and skipped are neither success nor failure. Who depends on a job with a matrix or `for_each` waits for all its instances.
6. What a job says wins over its template, and that over `defaults`. Mappings (`env`, `resources`, ...) are merged key by key. `steps`, `run`
   and `command` replace each other.
7. Every default is shown by `slipway plan --resolved`, every decision by `slipway explain`.

## Keys
)";

constexpr std::string_view kExpressions = R"(
## Expressions

| name | what |
| --- | --- |
| `branch`, `tag`, `event`, `sha`, `short_sha`, `actor`, `repo`, `default_branch` | of the event; texts |
| `pr.number`, `pr.base`, `pr.head`, `pr.fork` | of the pull request; null without one |
| `run.id`, `run.number`, `run.attempt` | of the run |
| `job.name` | in a job: its name, with its instance |
| `vars` | in a job: all `vars` that are set so far, and outputs of what it depends on as `JOB.NAME`; JSON in a text |
| `env.X` | a variable that the workflow, a preset, the job or the step sets |
| `vars.X`, `inputs.X`, `params.X` | as declared by the workflow, by `on`, by the template |
| `matrix.X`, `item` | of this instance |
| `outputs.JOB.X` | of a job that stands in this job's own `depends_on`; where that job declares `outputs`, of these |

Operators, the strongest first: `( )`, `!`, then `== != < <= > >= in` (not chained), `&&`, `||`. Text stands in `"..."` or `'...'`, where
`\\`, `\"`, `\'`, `\n` and `\t` are escapes; there are numbers, `true`, `false`, `null` and lists `[a, b]`. Nothing is converted: comparing a text
with a number is an error. Everything may be compared with `null`.

An unknown name is an error when the file is read. Secrets are not values and cannot be written in an expression.

| function | what |
| --- | --- |
)";

std::string limits_section() {
  return fmt::format(
      "\n## Limits\n\n| what | at most |\n| --- | --- |\n| a file | {} bytes |\n| values in a file, aliases counted as "
      "often as used | {} |\n"
      "| nesting | {} |\n| one value | {} bytes |\n| a name | {} bytes |\n| jobs of a workflow | {} |\n| steps of a "
      "job | {} |\n"
      "| combinations of a matrix, before `exclude` | {} |\n| values of a `for_each` | {} |\n| any other list or "
      "mapping | {} |\n"
      "| an expression | {} bytes, {} parts, {} deep |\n",
      kMaxFileBytes, kMaxNodes, kMaxDepth, kMaxTextLength, kMaxNameLength, kMaxFileJobs, kMaxSteps,
      model::kMaxCombinations, model::kMaxInstances, kMaxItems, kMaxExpressionLength, kMaxExpressionNodes,
      kMaxExpressionDepth);
}

// Of every context the names that are read besides the taught ones.
std::string aliases_section() {
  std::string text =
      "\n## Other names\n\nRead as well, for files that come from elsewhere:\n\n| written | is |\n| --- | --- |\n";
  std::set<std::string> known;
  for (const Context* context : contexts()) {
    for (const Key& key : context->keys) {
      if (key.alias.empty() || !known.insert(fmt::format("{} {}", key.alias, key.name)).second) continue;
      text += fmt::format("| `{}` | `{}` |\n", key.alias, key.name);
    }
  }
  return text + "| `command: TEXT` of a job | `run: TEXT` |\n";
}

}  // namespace

std::string reference_markdown() {
  std::string text(kIntroduction);
  for (const Context* context : contexts()) {
    if (!context->title.empty()) text += context_section(*context);
  }
  text += aliases_section();
  text += kExpressions;
  for (const FunctionDoc& function : functions()) text += fmt::format("| `{}` | {} |\n", function.usage, function.doc);
  text += limits_section();
  return text;
}

}  // namespace slipway::definition
