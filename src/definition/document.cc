#include "definition/document.h"

#include <istream>
#include <streambuf>
#include <unordered_map>

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/text.h"
#include "definition/limits.h"

namespace slipway::definition {

namespace {

// Reads from memory without copying it.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // the interface wants it; an input buffer never writes
    setg(begin, begin, begin + text.size());
  }
};

/// Builds the tree from yaml-cpp's events. After the first error everything that follows is ignored.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Source& source, Document& document) : source_(source), document_(document) {}

  bool failed() const { return failed_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark&, const std::string&) override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(mark, anchor, Node::Kind::null); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node* node = leaf(mark, anchor, Node::Kind::scalar, tag, value);
    if (node != nullptr) node->plain = tag == "?";
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (failed_) return;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || !found->second->complete) {
      return fail_at(mark, "E006", "an alias cannot stand inside what it names");
    }
    add(mark, found->second);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node* node = nullptr;
    Node* key = nullptr;  // of a mapping, when its value is still to come
  };

  void fail_at(const YAML::Mark& mark, std::string_view code, std::string message, std::string hint = {}) {
    failed_ = true;
    source_.report_at({source_.file(), mark.line + 1, mark.column + 1}, code, std::move(message), std::move(hint));
  }

  Node* make(const YAML::Mark& mark, YAML::anchor_t anchor, Node::Kind kind, const std::string& tag) {
    if (failed_) return nullptr;
    if (!tag.empty() && tag != "?" && tag != "!") {
      fail_at(mark, "E008", "YAML tags are not used here",
              "leave it out: quotes make text, plain 1 and true are themselves");
      return nullptr;
    }
    if (document_.nodes.size() >= kMaxNodes) {
      fail_at(mark, "E007", fmt::format("the file has more than {} values", kMaxNodes));
      return nullptr;
    }
    Node& node = document_.nodes.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    node.offset = static_cast<std::size_t>(mark.pos);
    if (anchor != YAML::NullAnchor) anchors_[anchor] = &node;
    return &node;
  }

  Node* leaf(const YAML::Mark& mark, YAML::anchor_t anchor, Node::Kind kind, const std::string& tag = {},
             const std::string& value = {}) {
    Node* node = make(mark, anchor, kind, tag);
    if (node == nullptr) return nullptr;
    node->text = value;
    node->complete = true;
    add(mark, node);
    return node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    Node* node = make(mark, anchor, kind, tag);
    if (node == nullptr) return;
    if (stack_.size() >= kMaxDepth) {
      return fail_at(mark, "E007", fmt::format("values may be nested {} deep", kMaxDepth));
    }
    stack_.push_back({node, nullptr});
  }

  void close() {
    if (failed_) return;
    Node* node = stack_.back().node;
    stack_.pop_back();
    node->complete = true;
    refuse_duplicates(*node);
    const YAML::Mark mark = mark_of(*node);
    if (node->height > kMaxDepth) return fail_at(mark, "E007", fmt::format("values may be nested {} deep", kMaxDepth));
    if (node->expanded > kMaxNodes) {
      return fail_at(mark, "E006", fmt::format("with its aliases written out this has more than {} values", kMaxNodes));
    }
    add(mark, node);
  }

  static YAML::Mark mark_of(const Node& node) {
    YAML::Mark mark;
    mark.pos = static_cast<int>(node.offset);
    mark.line = node.line - 1;
    mark.column = node.column - 1;
    return mark;
  }

  void add(const YAML::Mark& mark, Node* node) {
    if (stack_.empty()) {
      document_.root = node;
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node->kind == Node::Kind::mapping && frame.key == nullptr) return add_key(mark, *node, frame);
    if (frame.node->kind == Node::Kind::mapping) {
      frame.node->entries.push_back({frame.key, node});
      frame.key = nullptr;
    } else {
      frame.node->items.push_back(node);
    }
    frame.node->expanded += node->expanded;
    frame.node->height = std::max(frame.node->height, node->height + 1);
  }

  void add_key(const YAML::Mark& mark, Node& key, Frame& frame) {
    if (key.kind != Node::Kind::scalar) {
      const bool braces = source_.text().substr(frame.node->offset).starts_with("{{");
      return fail_at(braces ? mark_of(*frame.node) : mark, braces ? "E009" : "E003",
                     braces ? "a value that begins with `{{` needs quotes" : "a key must be text",
                     braces ? "write \"{{ ... }}\"" : "");
    }
    if (key.plain && key.text == "<<") {
      return fail_at(mark, "E008", "`<<` is not part of YAML 1.2", "use `defaults`, `presets` or `templates`");
    }
    frame.key = &key;
  }

  void refuse_duplicates(const Node& node) {
    std::unordered_map<std::string_view, const Node*> seen;
    for (const Node::Entry& entry : node.entries) {
      const auto [first, is_new] = seen.try_emplace(entry.key->text, entry.key);
      if (!is_new) {
        source_.report(*entry.key, "E005", fmt::format("`{}` is given twice", entry.key->text),
                       fmt::format("the first is in line {}", first->second->line));
      }
    }
  }

  Source& source_;
  Document& document_;
  std::unordered_map<YAML::anchor_t, Node*> anchors_;
  std::vector<Frame> stack_;
  bool failed_ = false;
};

// The offset of the first byte that is not UTF-8 or that no text file has, or npos.
std::size_t first_bad_byte(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      const bool control = (lead < 0x20 && lead != '\n' && lead != '\r' && lead != '\t') || lead == 0x7F;
      if (control) return i;
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || i + length > text.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0U) != 0x80U) return i;
    }
    const auto second = static_cast<unsigned char>(text[i + 1]);
    const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    if (overlong || (lead == 0xED && second >= 0xA0) || (lead == 0xF4 && second >= 0x90)) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string_view line_text(std::string_view text, int line) {
  std::size_t begin = 0;
  for (int i = 1; i < line && begin != std::string_view::npos; ++i) {
    begin = text.find('\n', begin);
    if (begin != std::string_view::npos) ++begin;
  }
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::size_t indentation_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }

// Where a key stands in its line, behind `- `.
std::size_t key_column(std::string_view line) {
  std::size_t at = indentation_of(line);
  while (line.substr(at).starts_with("- ")) at += 2 + indentation_of(line.substr(at + 2));
  return at;
}

bool opens_block(std::string_view line) {
  line = trim(line);
  while (!line.empty() && (line.back() == '-' || line.back() == '+' || (line.back() >= '1' && line.back() <= '9')))
    line.remove_suffix(1);
  if (!line.ends_with('|') && !line.ends_with('>')) return false;
  line.remove_suffix(1);
  return line.ends_with(": ") || line.ends_with("- ");
}

// `run: |` whose text is not indented more than `run`: the place of the key. Of several above `last` the nearest.
std::optional<model::Place> open_block_above(const Source& source, int last) {
  std::optional<model::Place> found;
  std::string_view header;
  int header_line = 0, number = 0;
  for (const std::string_view line : split(source.text(), '\n')) {
    if (++number > last) break;
    if (!header.empty() && !trim(line).empty()) {
      const bool inside = indentation_of(line) > key_column(header);
      if (!inside && line.find(':') == std::string_view::npos) {
        found = model::Place{source.file(), header_line, static_cast<int>(key_column(header)) + 1};
      }
      if (!inside) header = {};
    }
    if (header.empty() && opens_block(line)) {
      header = line;
      header_line = number;
    }
  }
  return found;
}

// Behind a text in double quotes comes neither the end of the value nor of the line: the offset of what comes.
std::optional<std::size_t> text_behind_quotes(std::string_view line) {
  bool at_value = true;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"' && at_value) {
      for (++at; at < line.size() && line[at] != '"'; ++at) at += line[at] == '\\' ? 1 : 0;
      const std::size_t behind = line.find_first_not_of(" \t\r", std::min(at + 1, line.size()));
      if (behind == std::string_view::npos) return std::nullopt;
      if (std::string_view(",]}:#").find(line[behind]) == std::string_view::npos) return behind;
    }
    if (line[at] != ' ') at_value = std::string_view("[{,:-").find(line[at]) != std::string_view::npos;
  }
  return std::nullopt;
}

// What yaml-cpp says is about its own state; authors need what to do.
void report_syntax(Source& source, const YAML::Exception& exception) {
  const model::Place place{source.file(), std::max(exception.mark.line, 0) + 1, std::max(exception.mark.column, 0) + 1};
  const std::string_view line = line_text(source.text(), place.line);
  const std::string_view indentation = line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string& said = exception.msg;
  if (indentation.find('\t') != std::string_view::npos || said.find("tab") != std::string::npos) {
    return source.report_at(place, "E004", "a tab cannot indent YAML", "use spaces");
  }
  if (dynamic_cast<const YAML::DeepRecursion*>(&exception) != nullptr) {
    return source.report_at(place, "E007", fmt::format("values may be nested {} deep", kMaxDepth));
  }
  if (const auto block = open_block_above(source, place.line)) {
    return source.report_at(*block, "E003",
                            "this text block is empty: the line below is not indented more than its key",
                            "indent the lines below");
  }
  for (const int number : {place.line, place.line - 1}) {
    const auto behind = text_behind_quotes(line_text(source.text(), number));
    if (number < 1 || !behind) continue;
    return source.report_at({source.file(), number, static_cast<int>(*behind) + 1}, "E003",
                            "this is not YAML: the text in quotes ends before this",
                            "use single quotes inside, or write \\\" for each inner quote");
  }
  std::string hint;
  if (said.find("illegal map value") != std::string::npos)
    hint = "a value that holds `: ` needs quotes";
  else if (said.find("end of map not found") != std::string::npos)
    hint = "does its indentation fit the lines above?";
  else if (said.find("end of sequence not found") != std::string::npos)
    hint = "does its indentation fit the lines above?";
  else if (trim(line).starts_with('@') || trim(line).starts_with('`') || trim(line).starts_with('%'))
    hint = "quotes are missing";
  source.report_at(place, "E003", fmt::format("this is not YAML: {}", said), hint);
}

bool may_be_parsed(Source& source) {
  if (source.text().size() > kMaxFileBytes) {
    source.report_at({source.file(), 0, 0}, "E001",
                     fmt::format("the file has {} bytes, at most {} are read", source.text().size(), kMaxFileBytes));
    return false;
  }
  const std::size_t bad = first_bad_byte(source.text());
  if (bad == std::string_view::npos) return true;
  const std::string_view before = source.text().substr(0, bad);
  const auto line = static_cast<int>(std::ranges::count(before, '\n')) + 1;
  const std::size_t line_begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const auto byte = static_cast<unsigned char>(source.text()[bad]);
  source.report_at({source.file(), line, static_cast<int>(bad - line_begin) + 1}, "E002",
                   byte < 0x80 ? fmt::format("byte 0x{:02x} cannot stand in a definition", byte)
                               : fmt::format("byte 0x{:02x} is not UTF-8 here", byte),
                   byte < 0x80 ? "" : "save the file as UTF-8");
  return false;
}

}  // namespace

std::string_view kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::scalar: return "a single value";
    case Node::Kind::sequence: return "a list";
    case Node::Kind::mapping: return "a mapping";
  }
  return "";
}

Source::Source(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  lines_.push_back(0);
  for (std::size_t at = text_.find('\n'); at != std::string_view::npos; at = text_.find('\n', at + 1))
    lines_.push_back(at + 1);
}

model::Place Source::place_at(std::size_t offset) const {
  const auto line = std::ranges::upper_bound(lines_, offset) - lines_.begin();
  return {file_, static_cast<int>(line), static_cast<int>(offset - lines_[static_cast<std::size_t>(line) - 1]) + 1};
}

PlaceOf Source::places_in(const Node& scalar) const {
  return [this, &scalar](std::size_t offset) -> model::Place {
    if (scalar.offset == kNowhere || scalar.file != nullptr) return place(scalar);
    std::size_t begin = std::min(scalar.offset, text_.size());
    // An anchor stands before the value it names.
    if (text_.substr(begin).starts_with('&'))
      begin = text_.find_first_not_of(" \t", std::min(text_.find_first_of(" \t\n", begin), text_.size()));
    if (begin >= text_.size()) return place(scalar);
    const char first = text_[begin];
    if (first == '|' && !scalar.plain) {
      // The value's lines are the file's lines below the `|`, each behind the same indentation.
      const std::string_view value = std::string_view(scalar.text).substr(0, offset);
      const std::size_t row = static_cast<std::size_t>(std::ranges::count(value, '\n'));
      const std::size_t line = static_cast<std::size_t>(place_at(begin).line) + row;
      const std::size_t column = row == 0 ? offset : offset - value.rfind('\n') - 1;
      if (line >= lines_.size()) return place(scalar);
      const std::size_t first_text =
          text_.find_first_not_of(" \n\r", lines_[static_cast<std::size_t>(place_at(begin).line)]);
      if (first_text == std::string_view::npos) return place(scalar);
      const auto indentation = static_cast<std::size_t>(place_at(first_text).column) - 1;
      return place_at(std::min(lines_[line] + indentation + column, text_.size()));
    }
    const bool quoted = first == '"' || first == '\'';
    const std::size_t direct = begin + (quoted ? 1 : 0) + offset;
    const std::string_view rest = std::string_view(scalar.text).substr(std::min(offset, scalar.text.size()));
    const std::string_view needle = rest.substr(0, std::min<std::size_t>(rest.find_first_of("\n\"'\\"), 8));
    if (text_.substr(std::min(direct, text_.size())).starts_with(needle) && first != '>')
      return place_at(std::min(direct, text_.size()));
    const std::size_t found = needle.empty() ? std::string_view::npos : text_.find(needle, begin);
    return found == std::string_view::npos ? place(scalar) : place_at(found);
  };
}

void Source::report(Node& node, std::string_view code, std::string message, std::string hint) {
  node.bad = true;
  report_at(place(node), code, std::move(message), std::move(hint));
}

void Source::report_at(model::Place place, std::string_view code, std::string message, std::string hint) {
  take({std::string(code), Severity::error, std::move(place), std::move(message), std::move(hint), 0, false});
}

void Source::note(const Node& node, std::string_view code, std::string message, std::string hint) {
  take({std::string(code), Severity::note, place(node), std::move(message), std::move(hint), 0, false});
}

void Source::note_secret(const Node& node, std::string_view code, std::string message, std::string hint) {
  take({std::string(code), Severity::note, place(node), std::move(message), std::move(hint), 0, true});
}

void Source::take(Problem problem) {
  // Notes leave room: an error that is not kept would let a broken file pass.
  if (full() || (problem.severity == Severity::note && problems_.size() >= kMaxProblems / 2)) {
    ++dropped_;
    return;
  }
  problems_.push_back(std::move(problem));
}

bool Source::full() const { return problems_.size() >= kMaxProblems; }

std::string Source::suggestion(std::string_view word, const std::vector<std::string>& names) const {
  // Distances cost a pass over all names: words and lists of no sane size get none.
  constexpr std::size_t kMostNames = 1'000;
  constexpr std::size_t kLongestWord = 64;
  if (full() || names.size() > kMostNames || word.size() > kLongestWord) return {};
  const auto near = nearest(word, names);
  return near ? fmt::format("did you mean `{}`?", *near) : "";
}

std::unique_ptr<Document> parse_document(Source& source) {
  if (!may_be_parsed(source)) return nullptr;
  auto document = std::make_unique<Document>();
  TreeBuilder builder(source, *document);
  ViewBuffer buffer(source.text());
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    Node* first = document->root;
    if (!builder.failed() && parser.HandleNextDocument(builder) && document->root != first) {
      source.report(*document->root, "E008", "a file holds one YAML document", "take this one into a file of its own");
      return nullptr;
    }
  } catch (const YAML::Exception& exception) {
    if (!builder.failed()) report_syntax(source, exception);
    return nullptr;
  } catch (const std::exception& exception) {
    source.report_at({source.file(), 1, 1}, "E003", fmt::format("this is not YAML: {}", exception.what()));
    return nullptr;
  }
  if (builder.failed()) return nullptr;
  return document;
}

}  // namespace slipway::definition
