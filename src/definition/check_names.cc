// Every name in every expression is known where it stands, and types fit as far as they can be known before a run.
#include <set>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "definition/check.h"

namespace slipway::definition {

namespace {

using model::Expression;
using model::Value;

/// What an expression gives, as far as can be known: an index into Value's variant, or unknown.
enum class Type { null, boolean, number, string, list, unknown };

constexpr std::array<std::string_view, 6> kTypeNames = {"null", "boolean", "number", "string", "list", "?"};
std::string_view name_of(Type type) { return kTypeNames[static_cast<std::size_t>(type)]; }
Type type_of(const Value& value) { return static_cast<Type>(value.data.index()); }

/// Names that an expression may use and what is behind them.
using Known = std::map<std::string, Type, std::less<>>;

const Known& known_everywhere() {
  static const Known kKnown = {
      {"branch", Type::string},     {"tag", Type::string},         {"event", Type::string},
      {"sha", Type::string},        {"short_sha", Type::string},   {"pr.number", Type::number},
      {"pr.base", Type::string},    {"pr.head", Type::string},     {"pr.fork", Type::boolean},
      {"actor", Type::string},      {"repo", Type::string},        {"run.id", Type::string},
      {"run.number", Type::number}, {"run.attempt", Type::number}, {"default_branch", Type::string},
  };
  return kKnown;
}

enum class Status { allowed, refused };  // may status functions be called here?

/// One place's names. Layers point to each other so that a workflow's names are not copied for each of its jobs.
struct Names {
  const Names* outer = nullptr;
  Known known;
  std::set<std::string, std::less<>> any_output_of;  // jobs that do not declare their outputs
  std::vector<std::string> askable;                  // what success() and failed() may name
  std::string_view askable_what;                     // "depends_on of job `x`"

  std::optional<Type> find(std::string_view name) const {
    for (const Names* at = this; at != nullptr; at = at->outer) {
      if (const auto found = at->known.find(name); found != at->known.end()) return found->second;
      for (const std::string& job : at->any_output_of) {
        if (name.starts_with("outputs." + job + ".")) return Type::string;
      }
    }
    return std::nullopt;
  }
  std::vector<std::string> all() const {
    std::vector<std::string> names;
    for (const Names* at = this; at != nullptr; at = at->outer) {
      for (const auto& [name, type] : at->known) names.push_back(name);
    }
    return names;
  }
};

class ExpressionChecker {
 public:
  ExpressionChecker(Source& source, const Names& names, Status status)
      : source_(source), names_(names), status_(status) {}

  Type type(const Expression& expression) {
    return std::visit(Overloaded{
                          [](const model::Literal& literal) { return type_of(literal.value); },
                          [&](const model::Name& name) { return name_type(expression, name); },
                          [&](const model::Unary& unary) {
                            want_boolean(*unary.operand);
                            return Type::boolean;
                          },
                          [&](const model::Binary& binary) { return binary_type(expression, binary); },
                          [&](const model::Call& call) { return call_type(expression, call); },
                          [&](const model::ListOf& list) {
                            for (const model::ExpressionPtr& item : list.items) type(*item);
                            return Type::list;
                          },
                      },
                      expression.node);
  }

 private:
  void report(const Expression& expression, std::string_view code, std::string message, std::string hint = {}) {
    source_.report_at(expression.place, code, std::move(message), std::move(hint));
  }

  Type name_type(const Expression& expression, const model::Name& name) {
    const std::string dotted = join(name.path, ".");
    if (const auto found = names_.find(dotted)) return *found;
    report(expression, "E023", fmt::format("`{}` is not known here", dotted), hint_for(name, dotted));
    return Type::unknown;
  }

  std::string hint_for(const model::Name& name, const std::string& dotted) const {
    if (source_.full()) return {};
    if (std::string near = source_.suggestion(dotted, names_.all()); !near.empty()) return near;
    const std::string& first = name.path.front();
    if (name.path.size() == 1) return "a text needs quotes";
    if (first == "secrets" || first == "secret")
      return "secrets are not values: give the job `secrets: [NAME]` and use \"$NAME\"";
    if (first == "outputs") return "outputs are known of jobs in `depends_on` that declare them";
    if (first == "matrix") return "it is neither an axis nor in an `include` of this job's matrix";
    if (first == "env") return "no `env` that reaches here sets it";
    if (first == "vars" || first == "inputs" || first == "params")
      return fmt::format("the {} do not declare it", first == "vars"     ? "workflow's `vars`"
                                                     : first == "inputs" ? "`inputs` below `on`"
                                                                         : "template's `params`");
    if (first == "github") return "the values here are branch, tag, event, sha, actor, repo, pr.*, run.*";
    return {};
  }

  void want_boolean(const Expression& expression) {
    const Type found = type(expression);
    if (found == Type::boolean || found == Type::unknown) return;
    report(expression, "E024", fmt::format("`{}` is a {}, not true or false", expression.text, name_of(found)));
  }

  Type binary_type(const Expression& expression, const model::Binary& binary) {
    using Op = model::BinaryOperator;
    if (binary.op == Op::logical_and || binary.op == Op::logical_or) {
      want_boolean(*binary.left);
      want_boolean(*binary.right);
      return Type::boolean;
    }
    const Type left = type(*binary.left);
    const Type right = type(*binary.right);
    if (binary.op == Op::in) {
      if (right != Type::list && right != Type::unknown)
        report(expression, "E024", fmt::format("`in` wants a list on its right, not a {}", name_of(right)),
               "as `branch in [\"main\", \"next\"]`");
      return Type::boolean;
    }
    const bool unknown = left == Type::unknown || right == Type::unknown;
    const bool equality = binary.op == Op::equal || binary.op == Op::not_equal;
    const bool has_null = left == Type::null || right == Type::null;
    if (!unknown && left != right && !(equality && has_null)) {
      report(expression, "E024",
             fmt::format("`{}` compares a {} with a {}", expression.text, name_of(left), name_of(right)),
             conversion_hint(left, right));
    } else if (!unknown && !equality && left != Type::number && left != Type::string) {
      report(expression, "E024", fmt::format("a {} has no order", name_of(left)));
    }
    return Type::boolean;
  }

  static std::string conversion_hint(Type left, Type right) {
    const bool text_and_number =
        (left == Type::string && right == Type::number) || (left == Type::number && right == Type::string);
    const bool text_and_boolean =
        (left == Type::string && right == Type::boolean) || (left == Type::boolean && right == Type::string);
    return text_and_number || text_and_boolean ? "nothing is converted: put both in quotes, or neither"
                                               : "nothing is converted";
  }

  Type call_type(const Expression& expression, const model::Call& call) {
    if (model::is_status_function(call.function)) return status_type(expression, call);
    std::vector<Type> types;
    for (const model::ExpressionPtr& argument : call.arguments) types.push_back(type(*argument));
    if (call.function == "default")
      return types[0] == types[1] || types[0] == Type::null ? types[1]
             : types[1] == Type::null                       ? types[0]
                                                            : mixed_default(expression, types);
    const bool first_any = call.function == "contains";
    for (std::size_t i = first_any ? 2 : 0; i < types.size(); ++i) {
      if (types[i] != Type::string && types[i] != Type::unknown) {
        report(
            *call.arguments[i], "E024",
            fmt::format("{}() takes strings, `{}` is a {}", call.function, call.arguments[i]->text, name_of(types[i])));
      }
    }
    if (first_any && types[0] != Type::string && types[0] != Type::list && types[0] != Type::unknown) {
      report(*call.arguments[0], "E024",
             fmt::format("contains() looks into a string or a list, not a {}", name_of(types[0])));
    }
    return call.function == "hash" ? Type::string : Type::boolean;
  }

  Type mixed_default(const Expression& expression, const std::vector<Type>& types) {
    if (types[0] != Type::unknown && types[1] != Type::unknown) {
      report(expression, "E024", fmt::format("default() gives a {} or a {}", name_of(types[0]), name_of(types[1])),
             "both must be of one type");
    }
    return Type::unknown;
  }

  Type status_type(const Expression& expression, const model::Call& call) {
    if (status_ == Status::refused) {
      report(expression, "E025", fmt::format("`{}` can be asked only in a `condition`", call.function));
      return Type::boolean;
    }
    for (const model::ExpressionPtr& argument : call.arguments) {
      const auto* literal = std::get_if<model::Literal>(&argument->node);
      const auto* asked = literal == nullptr ? nullptr : std::get_if<std::string>(&literal->value.data);
      if (asked == nullptr || std::ranges::find(names_.askable, *asked) != names_.askable.end()) continue;
      report(*argument, "E037", fmt::format("`{}` is not {}", *asked, names_.askable_what),
             source_.suggestion(*asked, names_.askable));
    }
    return Type::boolean;
  }

  Source& source_;
  const Names& names_;
  Status status_;
};

/// Goes through a workflow with the names that hold at each place.
class WorkflowChecker {
 public:
  WorkflowChecker(Source& source, const model::Workflow& workflow) : source_(source), workflow_(workflow) {
    for (const model::JobDefinition& job : workflow.jobs) jobs_.emplace(job.name, &job);
  }

  void check() {
    Names top;
    top.known = known_everywhere();
    for (const auto& [name, value] : workflow_.vars) top.known.emplace("vars." + name, type_of(value));
    for (const model::Trigger& trigger : workflow_.on) {
      for (const auto& [name, input] : trigger.inputs) top.known.emplace("inputs." + name, type_of_input(input));
    }
    add_env(top, workflow_.env);
    check_env(workflow_.env, top);
    if (workflow_.concurrency) check_text(workflow_.concurrency->group, top);
    if (workflow_.source_code) check_text(workflow_.source_code->ref, top);
    for (const auto& [name, preset] : workflow_.presets) preset_names(top, preset);
    for (const model::JobDefinition& job : workflow_.jobs) check_job(job, top);
    for (const auto& [name, made] : workflow_.templates) check_job(made.job, top);
  }

 private:
  static Type type_of_input(const model::InputDefinition& input) {
    using Kind = model::InputDefinition::Type;
    return input.type == Kind::number ? Type::number : input.type == Kind::boolean ? Type::boolean : Type::string;
  }

  static void add_env(Names& names, const model::TemplateMap& env) {
    for (const auto& [name, value] : env) names.known.emplace("env." + name, Type::string);
  }

  // A preset is checked where no job's own names hold: it must read the same in every job.
  void preset_names(const Names& top, const model::TemplateMap& preset) {
    Names names{.outer = &top,
                .known = {{"job.name", Type::string}, {"vars", Type::string}},
                .any_output_of = {},
                .askable = {},
                .askable_what = {}};
    add_env(names, preset);
    check_env(preset, names);
  }

  void check_text(const model::Template& text, const Names& names) {
    for (const model::Template::Part& part : text.parts) {
      if (part.expression == nullptr) continue;
      const Type type = ExpressionChecker(source_, names, Status::refused).type(*part.expression);
      if (type == Type::list || type == Type::null) {
        source_.report_at(part.expression->place, "E024", fmt::format("a {} cannot be put into text", name_of(type)));
      }
    }
  }
  void check_texts(const std::vector<model::Template>& texts, const Names& names) {
    for (const model::Template& text : texts) check_text(text, names);
  }
  void check_env(const model::TemplateMap& env, const Names& names) {
    for (const auto& [name, value] : env) check_text(value, names);
  }

  void check_condition(const model::ExpressionPtr& condition, const Names& names) {
    if (condition == nullptr) return;
    const Type type = ExpressionChecker(source_, names, Status::allowed).type(*condition);
    if (type == Type::boolean || type == Type::unknown) return;
    source_.report_at(condition->place, "E026",
                      fmt::format("a condition is true or false, `{}` is a {}", condition->text, name_of(type)),
                      type == Type::string ? "compare it: == \"...\"" : "");
  }

  Names names_of(const model::JobDefinition& job, const Names& top) const {
    Names names{.outer = &top,
                .known = {{"job.name", Type::string}, {"vars", Type::string}},
                .any_output_of = {},
                .askable = job.depends_on,
                .askable_what = "in `depends_on` of this job"};
    for (const auto& [name, value] : job.params) names.known.emplace("params." + name, type_of(value));
    for (const std::string& preset : job.presets) {
      if (const auto found = workflow_.presets.find(preset); found != workflow_.presets.end())
        add_env(names, found->second);
    }
    add_env(names, job.env);
    for (const std::string& dependency : job.depends_on) {
      const auto found = jobs_.find(dependency);
      if (found == jobs_.end() || found->second->outputs.empty())
        names.any_output_of.insert(dependency);
      else
        for (const std::string& output : found->second->outputs)
          names.known.emplace("outputs." + dependency + "." + output, Type::string);
    }
    if (job.matrix) add_matrix(names, *job.matrix);
    if (job.for_each) names.known.emplace("item", item_type(*job.for_each));
    if (job.for_each) names.known.emplace("env." + job.for_each->as, Type::string);
    return names;
  }

  static void add_matrix(Names& names, const model::Matrix& matrix) {
    const auto add = [&](const std::string& name, const Value& value) {
      const auto [known, is_new] = names.known.emplace("matrix." + name, type_of(value));
      if (!is_new && known->second != type_of(value)) known->second = Type::unknown;
    };
    for (const auto& [name, values] : matrix.axes) {
      if (values.empty()) names.known.emplace("matrix." + name, Type::unknown);
      for (const Value& value : values) add(name, value);
    }
    for (const auto& extra : matrix.include) {
      for (const auto& [name, value] : extra) add(name, value);
    }
  }

  static Type item_type(const model::ForEach& each) {
    const auto* values = std::get_if<std::vector<Value>>(&each.in);
    if (values == nullptr || values->empty()) return Type::unknown;
    const Type first = type_of(values->front());
    return std::ranges::all_of(*values, [&](const Value& value) { return type_of(value) == first; }) ? first
                                                                                                     : Type::unknown;
  }

  void check_job(const model::JobDefinition& job, const Names& top) {
    if (job.for_each) check_for_each(*job.for_each, job, top);
    const Names names = names_of(job, top);
    check_condition(job.condition, names);
    for (const std::optional<model::Template>* text : {&job.environment, &job.image, &job.working_dir}) {
      if (*text) check_text(**text, names);
    }
    if (job.concurrency) check_text(job.concurrency->group, names);
    if (job.source_code) check_text(job.source_code->ref, names);
    check_texts(job.labels, names);
    check_env(job.env, names);
    check_texts(job.tests, names);
    check_texts(job.uses_artifacts, names);
    for (const auto& [where, late] : job.late) check_text(late, names);
    for (const model::Service& service : job.services) {
      check_text(service.image, names);
      check_env(service.env, names);
    }
    for (const model::CacheDefinition& cache : job.cache) {
      check_text(cache.key, names);
      check_texts(cache.restore, names);
      check_texts(cache.paths, names);
    }
    for (const model::ArtifactDefinition& artifact : job.artifacts) {
      check_text(artifact.name, names);
      check_texts(artifact.paths, names);
    }
    check_steps(job, names);
  }

  void check_steps(const model::JobDefinition& job, const Names& job_names) {
    std::vector<std::string> earlier;
    for (const model::StepDefinition& step : job.steps) {
      Names names{.outer = &job_names, .known = {}, .any_output_of = {}, .askable = {}, .askable_what = {}};
      names.askable_what = "a step that this one waits for";
      if (step.condition != nullptr) names.askable = step.depends_on.value_or(earlier);
      add_env(names, step.env);
      check_condition(step.condition, names);
      check_env(step.env, names);
      if (step.working_dir) check_text(*step.working_dir, names);
      check_texts(step.uses_artifacts, names);
      earlier.push_back(step.name);
    }
  }

  void check_for_each(const model::ForEach& each, const model::JobDefinition& job, const Names& top) {
    const auto* in = std::get_if<model::ExpressionPtr>(&each.in);
    if (in == nullptr || *in == nullptr) return;
    Names names = names_of(job, top);
    names.known.erase("item");
    const Type type = ExpressionChecker(source_, names, Status::refused).type(**in);
    // An output is text: the planner reads a JSON list out of it.
    if (type == Type::list || type == Type::string || type == Type::unknown) return;
    source_.report_at((*in)->place, "E052",
                      fmt::format("`for_each` wants a list, `{}` is a {}", (*in)->text, name_of(type)));
  }

  Source& source_;
  const model::Workflow& workflow_;
  std::map<std::string, const model::JobDefinition*, std::less<>> jobs_;
};

}  // namespace

void check_names(Source& source, const model::Workflow& workflow) { WorkflowChecker(source, workflow).check(); }

}  // namespace slipway::definition
