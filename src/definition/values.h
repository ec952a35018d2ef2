#pragma once

#include <string>
#include <utility>
#include <vector>

#include "definition/document.h"
#include "definition/keys.h"
#include "model/definition.h"

/// From nodes that were validated to values of the model. What is bad reads as absent: it was reported already.
namespace slipway::definition {

/// The keys of one mapping by their taught names.
class Fields {
 public:
  /// `mapping` may be null: no keys.
  Fields(const Context& context, Node* mapping);
  /// The value; null when the key is not there or bad.
  Node* get(std::string_view key) const;

 private:
  const Context& context_;
  std::vector<std::pair<const Key*, Node*>> values_;
};

/// One node or the items of a list, without the bad ones.
std::vector<Node*> items_of(Node* node);

std::string text_of(Node* node);
std::vector<std::string> texts_of(Node* node);
bool boolean_of(Node* node, bool otherwise);
std::optional<int> integer_of(Node* node);
std::optional<Duration> duration_of(Node* node);

/// Needs the source for places.
class Values {
 public:
  explicit Values(Source& source) : source_(source) {}

  /// Where the job lies whose values are read next: its secrets' files and artifacts lie below it.
  void set_workspace(std::string path) { workspace_ = std::move(path); }

  model::Place place(const Node& node) const { return source_.place(node); }
  std::optional<model::Template> template_of(Node* node) const;
  std::vector<model::Template> templates_of(Node* node) const;
  model::ExpressionPtr expression_of(Node* node) const;
  model::TemplateMap env_of(Node* node) const;
  model::Named<model::Value> value_map_of(Node* node) const;

  std::optional<model::Concurrency> concurrency_of(Node* node) const;
  /// `key`: ci_code or source_code.
  std::optional<model::CodeLocation> code_of(Node* node, std::string_view key);
  std::vector<model::SecretUse> secrets_of(Node* node);
  std::vector<model::Service> services_of(Node* node);
  void check_service(Node& node, const model::Service& service);
  std::vector<model::CacheDefinition> cache_of(Node* node);
  std::vector<model::ArtifactDefinition> artifacts_of(Node* node);
  std::vector<model::Hook> hooks_of(Node* node) const;
  std::optional<model::Matrix> matrix_of(Node* node);
  std::optional<model::ForEach> for_each_of(Node* node) const;
  std::optional<model::Retry> retry_of(Node* node, model::Retry standard) const;
  std::optional<model::Checkout> checkout_of(Node* node) const;
  std::optional<model::RunAs> run_as_of(Node* node, bool on_step);
  std::vector<std::string> shell_of(Node* node) const;
  std::optional<model::Opaque> opaque_of(Node* node) const;
  model::Named<model::InputDefinition> inputs_of(Node* node);
  std::vector<model::Trigger> triggers_of(Node* node);
  /// A value of the declared type, or what is wrong (E042, E043).
  std::optional<model::Value> value_for(const model::InputDefinition& declared, Node& node, std::string_view code);

 private:
  model::InputDefinition input_of(Node* node);
  void check_matrix(Node& node, const model::Matrix& matrix);
  void check_secret_file(Node& file);
  void check_code_url(Node& url);
  void check_code_path(Node& path);
  void check_path(const model::Template& path, std::string_view of);

  Source& source_;
  std::string workspace_ = "/job";
};

}  // namespace slipway::definition
