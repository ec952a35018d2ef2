#pragma once

#include <map>
#include <string>
#include <vector>

#include "definition/document.h"
#include "definition/keys.h"
#include "definition/values.h"
#include "model/definition.h"

namespace slipway::definition {

/// A mapping that says things about a job: the job itself, its template, the workflow's defaults.
struct Layer {
  const Context* context = nullptr;
  Node* mapping = nullptr;
  std::string origin;  ///< for `plan --resolved`; empty: the job itself
};

/// Makes jobs out of layers; what an upper layer says wins, mappings are merged key by key. Reports what only the
/// whole of a job shows: nothing to do, several things to do, a retry of nothing.
class JobBuilder {
 public:
  JobBuilder(Source& source, Document& document) : source_(source), document_(document), values_(source) {}

  /// `layers`: the uppermost first. `node` is where the job stands.
  model::JobDefinition build(Node& node, const std::string& name, const std::vector<Layer>& layers, bool code_may_run);

 private:
  struct Entry {
    Node* key = nullptr;
    Node* value = nullptr;
    std::string origin;
  };

  void merge(const Layer& layer);
  Node* merged(Node& upper, Node& lower);
  Node* get(std::string_view key) const;
  void read_what_it_is(model::JobDefinition& job);
  void read_where_it_runs(model::JobDefinition& job);
  void read_limits(model::JobDefinition& job);
  void read_steps(model::JobDefinition& job, Node& node, bool code_may_run);
  void read_single_step(model::JobDefinition& job, std::string_view key);
  void read_code_and_results(model::JobDefinition& job);
  void note_origins(model::JobDefinition& job) const;
  model::StepDefinition step_of(Node& node, std::size_t index, model::JobDefinition& job);

  /// A value with `{{ }}` waits in `job.late`.
  bool is_late(model::JobDefinition& job, Node& node, const std::string& where);
  std::optional<model::Retry> retry_of(model::JobDefinition& job, Node* node, const std::string& where,
                                       model::Retry standard);
  template <class T, class F>
  void late_or(model::JobDefinition& job, Node* node, const std::string& where, std::optional<T>& member,
               const F& read);

  Source& source_;
  Document& document_;
  Values values_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::size_t merged_entries_ = 0;  // of all jobs so far
};

}  // namespace slipway::definition
