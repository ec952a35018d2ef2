#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/plan.h"
#include "model/run.h"

/// How groups and their instances come into a run: for the planner, for `for_each` over what jobs put out, and for
/// triggers. Private to model/.
namespace slipway::model {

/// Appends a group with its dependencies, which must be in the run; ended ones count as they ended. No instances yet.
/// Errors: `invalid` for an unknown dependency or a name that is taken.
Result<GroupIndex> add_group(Run& run, std::shared_ptr<const JobDefinition> definition, std::string name,
                             std::vector<std::string> depends_on);

/// Appends the instances of a group: its matrix times `items` (no value: it has no for_each). Errors: `exhausted` over
/// kMaxInstances or kMaxJobs.
Result<std::vector<JobIndex>> add_instances(Run& run, GroupIndex group, const std::optional<ValueList>& items);

/// One instance with the group's own name, for a group that ends without having been expanded.
JobIndex add_stand_in(Run& run, GroupIndex group);

/// As `scope_of` for an instance that need not be in the run yet.
Result<Scope> scope_for(const Run& run, const Job& job, Purpose purpose);

/// The definition of the instance with its `late` members set; the group's own where it has none.
Result<std::shared_ptr<const JobDefinition>> settled(const Run& run, const Job& job, const Scope& scope);

/// For previews: the value of a scope under this name says that the job's outputs are not known yet and read as
/// `<outputs.JOB.NAME>`. No output has it for a name.
std::string open_outputs(const std::string& job);
/// Does the text hold such an output?
bool asks_open_outputs(const Template& text, const Scope& scope);

/// Can the list of the group's for_each be known before any job ran?
bool is_expanded_at_plan_time(const JobDefinition& definition);

/// The list of a for_each. An expression that gives text (outputs are text) is read as a JSON list of
/// strings, numbers and booleans, or else as one item a line. Errors: `invalid`, `exhausted` over kMaxInstances.
Result<ValueList> items_of(const ForEach& for_each, const Scope& scope);

}  // namespace slipway::model
