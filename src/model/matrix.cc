#include <algorithm>

#include <fmt/format.h>

#include "model/plan.h"

namespace slipway::model {

namespace {

const Value* find(const Named<Value>& in, const std::string& key) {
  const auto at = std::find_if(in.begin(), in.end(), [&](const auto& entry) { return entry.first == key; });
  return at == in.end() ? nullptr : &at->second;
}

bool has_all_of(const Combination& combination, const Named<Value>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
    const Value* value = find(combination, entry.first);
    return value != nullptr && *value == entry.second;
  });
}

bool is_axis(const Matrix& matrix, const std::string& key) {
  return std::any_of(matrix.axes.begin(), matrix.axes.end(), [&](const auto& axis) { return axis.first == key; });
}

/// May `include` extend the combination, that is, leave the values of its axes as they are?
bool extends(const Matrix& matrix, const Combination& combination, const Named<Value>& include) {
  return std::all_of(include.begin(), include.end(), [&](const auto& entry) {
    return !is_axis(matrix, entry.first) || *find(combination, entry.first) == entry.second;
  });
}

void merge(Combination& into, const Named<Value>& include) {
  for (const auto& [key, value] : include) {
    const auto at = std::find_if(into.begin(), into.end(), [&](const auto& entry) { return entry.first == key; });
    if (at == into.end())
      into.emplace_back(key, value);
    else
      at->second = value;
  }
}

/// A combination of its own, its keys in the order of the axes, then as written.
Combination in_axis_order(const Matrix& matrix, const Named<Value>& include) {
  Combination ordered;
  for (const auto& [axis, values] : matrix.axes) {
    if (const Value* value = find(include, axis)) ordered.emplace_back(axis, *value);
  }
  for (const auto& [key, value] : include) {
    if (!is_axis(matrix, key)) ordered.emplace_back(key, value);
  }
  return ordered;
}

std::unexpected<Error> too_many() {
  return fail(ErrorKind::exhausted, fmt::format("a matrix has at most {} combinations", kMaxCombinations));
}

Result<std::vector<Combination>> product(const Matrix& matrix) {
  std::vector<Combination> all;
  if (matrix.axes.empty()) return all;
  // What the axes promise is asked first: `exclude` may not save a product that would never fit into memory.
  std::size_t count = 1;
  for (const auto& [axis, values] : matrix.axes) {
    if (values.empty()) return all;
    if (values.size() > kMaxCombinations || count * values.size() > kMaxCombinations) return too_many();
    count *= values.size();
  }
  all.emplace_back();
  for (const auto& [axis, values] : matrix.axes) {
    std::vector<Combination> longer;
    longer.reserve(all.size() * values.size());
    for (const Combination& start : all) {
      for (const Value& value : values) {
        longer.push_back(start);
        longer.back().emplace_back(axis, value);
      }
    }
    all = std::move(longer);
  }
  return all;
}

}  // namespace

Result<std::vector<Combination>> combinations(const Matrix& matrix) {
  SW_TRY(std::vector<Combination> all, product(matrix));
  std::erase_if(all, [&](const Combination& combination) {
    return std::any_of(matrix.exclude.begin(), matrix.exclude.end(),
                       [&](const Named<Value>& exclude) { return has_all_of(combination, exclude); });
  });
  const std::size_t from_axes = all.size();
  for (const Named<Value>& include : matrix.include) {
    bool extended = false;
    for (std::size_t i = 0; i < from_axes; ++i) {
      if (!extends(matrix, all[i], include)) continue;
      merge(all[i], include);
      extended = true;
    }
    if (extended) continue;
    if (all.size() == kMaxCombinations) return too_many();
    all.push_back(in_axis_order(matrix, include));
  }
  return all;
}

}  // namespace slipway::model
