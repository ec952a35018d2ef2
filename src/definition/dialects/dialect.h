#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "definition/document.h"
#include "definition/reader.h"

/// Files that people have from other systems. Each dialect's reader makes our language's nodes out of a file's nodes;
/// what comes after (validate, build, check) is the same for all. So its quirks stay here, and `slipway convert` prints
/// what the reader made.
namespace slipway::definition {

/// By where the file lies, else by keys that only that dialect has. `root` may be null.
Dialect dialect_of(std::string_view file_name, const Node* root);

/// A file in our language.
struct Translation {
  Node* root = nullptr;  ///< `workflow:` or `job:`; null: nothing could be made, and the problems say why
  /// What has no equal in our language, or reads otherwise than it did: for `convert`, above the entry of that value.
  std::map<const Node*, std::vector<std::string>> comments;
  std::vector<SecretValue> secret_values;
  /// Other files that were read for it, which nodes point into.
  std::vector<std::unique_ptr<Document>> documents;
  std::deque<std::string> file_names;
};

/// Reports what is wrong with the file to `source`.
Translation translate(Dialect dialect, Source& source, Document& document, const ReadOptions& options);

/// A text as an expression of ours writes it, in quotes.
std::string expression_text(std::string_view text);

/// Makes nodes that stand where `at` does.
class NodeMaker {
 public:
  explicit NodeMaker(Document& document) : document_(document) {}

  /// A text that holds no expressions, whatever is in it.
  Node* text(const Node& at, std::string text);
  /// A number, boolean or duration: what is no text in YAML.
  Node* plain(const Node& at, std::string text);
  /// A condition, or a text with `{{ }}` of ours.
  Node* expression(const Node& at, std::string text);
  Node* list(const Node& at, std::vector<Node*> items = {});
  Node* texts(const Node& at, const std::vector<std::string>& items);
  Node* map(const Node& at);
  /// Puts `key: value` into `map`; null is left out. `at` is where the key stands.
  void put(Node* map, const Node& at, std::string_view key, Node* value);

 private:
  Node* make(const Node& at, Node::Kind kind);

  Document& document_;
};

/// The value of a mapping's key; null: not there, or bad.
Node* member(const Node* mapping, std::string_view key);
/// Its key's node: for places. The key must be there.
Node& key_of(Node& mapping, std::string_view key);
/// The scalars of a list, or the one that stands alone in its place; without the bad ones.
std::vector<Node*> items_of_list(Node* node);

}  // namespace slipway::definition
