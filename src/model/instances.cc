#include "model/instances.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "model/plan.h"
#include "model/settle.h"

namespace slipway::model {

namespace {

/// A flat JSON list, as `slipway output` would carry one. Strings know the escapes \" \\ \/ \n \t only:
/// what needs more is not a list of names.
class ListReader {
 public:
  explicit ListReader(std::string_view text) : rest_(text) {}

  Result<ValueList> read() {
    ValueList items;
    take('[');
    if (take(']')) return at_end(std::move(items));
    for (;;) {
      SW_TRY(items.emplace_back(), item());
      if (items.size() > kMaxInstances) {
        return fail(ErrorKind::exhausted, fmt::format("for_each has more than {} items", kMaxInstances));
      }
      if (take(']')) return at_end(std::move(items));
      if (!take(',')) return broken();
    }
  }

 private:
  static std::unexpected<Error> broken() {
    return fail(ErrorKind::invalid, "for_each: not a JSON list of strings, numbers and booleans");
  }

  Result<ValueList> at_end(ValueList items) {
    if (!trim(rest_).empty()) return broken();
    return items;
  }

  bool take(char wanted) {
    rest_ = trim(rest_);
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Result<Value> item() {
    if (take('"')) return text();
    rest_ = trim(rest_);
    const std::string_view word = rest_.substr(0, rest_.find_first_of(",] \t\r\n"));
    rest_.remove_prefix(word.size());
    if (word == "true" || word == "false") return Value{word == "true"};
    double number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (word.empty() || error != std::errc() || end != word.data() + word.size()) return broken();
    return Value{number};
  }

  Result<Value> text() {
    std::string value;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return Value{std::move(value)};
      }
      if (rest_[i] != '\\') {
        value += rest_[i];
        continue;
      }
      if (++i == rest_.size()) break;
      constexpr std::string_view kEscapes = "\"\\/nt";
      constexpr std::string_view kMeanings = "\"\\/\n\t";
      const std::size_t at = kEscapes.find(rest_[i]);
      if (at == std::string_view::npos) return broken();
      value += kMeanings[at];
    }
    return broken();
  }

  std::string_view rest_;
};

Result<ValueList> items_in_text(const std::string& text) {
  if (trim(text).starts_with('[')) return ListReader(text).read();
  ValueList items;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view item = trim(line);
    if (!item.empty()) items.push_back(Value{std::string(item)});
  }
  return items;
}

std::string instance_name(const std::string& group, const Combination& matrix, const std::optional<Value>& item) {
  std::vector<std::string> parts;
  const auto show = [&](const Value& value) {
    parts.push_back(to_text(value).value_or(std::string(type_name(value))));
  };
  for (const auto& [key, value] : matrix) show(value);
  if (item) show(*item);
  return parts.empty() ? group : fmt::format("{} ({})", group, join(parts, ", "));
}

/// Two equal items of a list, or values that read the same, still are two jobs.
std::string unique_name(const Run& run, std::string name) {
  if (!run.job_by_name.contains(name)) return name;
  for (int i = 2;; ++i) {
    std::string numbered = fmt::format("{} #{}", name, i);
    if (!run.job_by_name.contains(numbered)) return numbered;
  }
}

bool is_selected(const Run& run, const Combination& matrix) {
  return std::all_of(run.options.only_matrix.begin(), run.options.only_matrix.end(), [&](const auto& wanted) {
    const auto at =
        std::find_if(matrix.begin(), matrix.end(), [&](const auto& entry) { return entry.first == wanted.first; });
    return at == matrix.end() || to_text(at->second).value_or(std::string()) == wanted.second;
  });
}

JobIndex add_job(Run& run, GroupIndex index, const Combination& matrix, const std::optional<Value>& item) {
  Job job;
  const auto& for_each = run.groups[index].definition->for_each;
  const bool numbered = item && for_each && for_each->numbered;
  job.name = numbered ? fmt::format("{}[{}]", run.groups[index].name, run.groups[index].jobs.size())
                      : instance_name(run.groups[index].name, matrix, item);
  job.name = unique_name(run, std::move(job.name));
  job.group = index;
  job.matrix = matrix;
  job.item = item;
  job.continue_on_error = run.groups[index].definition->continue_on_error;
  job.retry = run.groups[index].definition->retry.value_or(Retry{});
  const auto at = static_cast<JobIndex>(run.jobs.size());
  run.job_by_name.emplace(job.name, at);
  run.jobs.push_back(std::move(job));
  run.groups[index].jobs.push_back(at);
  ++run.groups[index].open;
  return at;
}

}  // namespace

Result<GroupIndex> add_group(Run& run, std::shared_ptr<const JobDefinition> definition, std::string name,
                             std::vector<std::string> depends_on) {
  if (run.group_by_name.contains(name)) return fail(ErrorKind::invalid, fmt::format("two jobs are named `{}`", name));
  Group group;
  group.definition = std::move(definition);
  group.name = std::move(name);
  std::sort(depends_on.begin(), depends_on.end());
  depends_on.erase(std::unique(depends_on.begin(), depends_on.end()), depends_on.end());
  const auto index = static_cast<GroupIndex>(run.groups.size());
  for (const std::string& dependency : depends_on) {
    const auto at = run.group_by_name.find(dependency);
    if (at == run.group_by_name.end()) {
      return fail(ErrorKind::invalid,
                  fmt::format("job `{}` depends on `{}`, which is not there", group.name, dependency));
    }
    group.depends_on.push_back(at->second);
    const Group& other = run.groups[at->second];
    if (!other.ended)
      ++group.dependencies_open;
    else if (ending_of_group(other) != Ending::succeeded)
      ++group.dependencies_bad;
  }
  for (const GroupIndex dependency : group.depends_on) run.groups[dependency].dependents.push_back(index);
  run.group_by_name.emplace(group.name, index);
  run.groups.push_back(std::move(group));
  ++run.groups_open;
  return index;
}

Result<std::vector<JobIndex>> add_instances(Run& run, GroupIndex group, const std::optional<ValueList>& items) {
  const auto& matrix = run.groups[group].definition->matrix;
  std::vector<Combination> all(1);
  if (matrix) {
    SW_TRY(all, combinations(*matrix));
    std::erase_if(all, [&](const Combination& combination) { return !is_selected(run, combination); });
  }
  const std::size_t count = all.size() * (items ? items->size() : 1);
  if (count > kMaxInstances) {
    return fail(ErrorKind::exhausted, fmt::format("job `{}` would have {} instances, more than {}",
                                                  run.groups[group].name, count, kMaxInstances));
  }
  if (run.jobs.size() + count > kMaxJobs) {
    return fail(ErrorKind::exhausted, fmt::format("a run has at most {} jobs", kMaxJobs));
  }
  std::vector<JobIndex> added;
  added.reserve(count);
  for (const Combination& combination : all) {
    if (!items) {
      added.push_back(add_job(run, group, combination, std::nullopt));
      continue;
    }
    for (const Value& item : *items) added.push_back(add_job(run, group, combination, item));
  }
  return added;
}

JobIndex add_stand_in(Run& run, GroupIndex group) { return add_job(run, group, {}, std::nullopt); }

Result<std::shared_ptr<const JobDefinition>> settled(const Run& run, const Job& job, const Scope& scope) {
  const auto& definition = run.groups[job.group].definition;
  if (definition->late.empty()) return definition;
  auto copy = std::make_shared<JobDefinition>(*definition);
  SW_CHECK(settle(*copy, scope));
  return copy;
}

bool is_expanded_at_plan_time(const JobDefinition& definition) {
  if (!definition.for_each) return true;
  const auto* expression = std::get_if<ExpressionPtr>(&definition.for_each->in);
  if (expression == nullptr) return true;
  if (calls_status_function(**expression)) return false;
  const auto names = names_in(**expression);
  return std::none_of(names.begin(), names.end(), [](const std::string& name) { return name.starts_with("outputs."); });
}

Result<ValueList> items_of(const ForEach& for_each, const Scope& scope) {
  ValueList items;
  if (const auto* list = std::get_if<std::vector<Value>>(&for_each.in)) {
    items = *list;
  } else {
    Trace unused;
    SW_TRY(Value value, evaluate(*std::get<ExpressionPtr>(for_each.in), scope, unused));
    if (auto* found = std::get_if<ValueList>(&value.data)) {
      items = std::move(*found);
    } else if (const auto* text = std::get_if<std::string>(&value.data)) {
      SW_TRY(items, items_in_text(*text));
    } else {
      return fail(ErrorKind::invalid, fmt::format("for_each needs a list, not a {}", type_name(value)));
    }
  }
  if (items.size() > kMaxInstances) {
    return fail(ErrorKind::exhausted, fmt::format("for_each has more than {} items", kMaxInstances));
  }
  return items;
}

}  // namespace slipway::model
