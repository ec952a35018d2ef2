#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "definition/expression_parser.h"
#include "definition/problem.h"

namespace slipway::definition {

/// One value of a YAML file. Aliases are not copied: they point to the node that has the anchor.
struct Node {
  enum class Kind { null, scalar, sequence, mapping };
  struct Entry {
    Node* key = nullptr;  ///< always a scalar
    Node* value = nullptr;
  };

  Kind kind = Kind::null;
  bool plain = true;      ///< a scalar without quotes: only such a one can be a number or a boolean
  bool bad = false;       ///< a problem was reported: whoever builds from it leaves it out
  bool complete = false;  ///< its end was seen
  bool literal = false;   ///< `{{` in it is text: of a dialect that has no expressions
  /// The file it stands in where that is not the one that is read (a `job_file` of a dialect); null: that one.
  const std::string* file = nullptr;
  int line = 0, column = 0;
  std::size_t offset = 0;    ///< kNowhere: the text is not the author's, only the place is
  std::size_t expanded = 1;  ///< nodes in it, aliases counted as often as they are used
  std::size_t height = 1;
  std::string text;
  std::vector<Node*> items;
  std::vector<Entry> entries;
};

inline constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

std::string_view kind_name(const Node& node);

/// The text of a file, where things stand in it, and what is wrong with it.
class Source {
 public:
  Source(std::string_view text, std::string file);

  std::string_view text() const { return text_; }
  const std::string& file() const { return file_; }
  model::Place place(const Node& node) const {
    return {node.file == nullptr ? file_ : *node.file, node.line, node.column};
  }
  /// Where a byte of a scalar's value stands: exact in plain and quoted text on one line and in `|` blocks,
  /// nearly so elsewhere.
  PlaceOf places_in(const Node& scalar) const;

  /// Adds an error and marks the node.
  void report(Node& node, std::string_view code, std::string message, std::string hint = {});
  void report_at(model::Place place, std::string_view code, std::string message, std::string hint = {});
  /// Something that the author should know and that is no error.
  void note(const Node& node, std::string_view code, std::string message, std::string hint = {});
  /// As above, of a value that nobody may read from a terminal.
  void note_secret(const Node& node, std::string_view code, std::string message, std::string hint);
  /// What was found elsewhere.
  void take(Problem problem);
  /// At most kMaxProblems are kept.
  std::vector<Problem>& problems() { return problems_; }
  std::size_t dropped() const { return dropped_; }
  bool full() const;
  /// ``did you mean `x`?`` or nothing; nothing too once nobody will read it.
  std::string suggestion(std::string_view word, const std::vector<std::string>& names) const;

 private:
  model::Place place_at(std::size_t offset) const;
  std::string_view text_;
  std::string file_;
  std::vector<std::size_t> lines_;  // offsets of their beginnings
  std::vector<Problem> problems_;
  std::size_t dropped_ = 0;
};

/// A parsed file; owns the nodes.
struct Document {
  std::deque<Node> nodes;
  Node* root = nullptr;
};

/// Reads the YAML of `source`. Null when it could not: the problems say why (E001-E009).
std::unique_ptr<Document> parse_document(Source& source);

}  // namespace slipway::definition
