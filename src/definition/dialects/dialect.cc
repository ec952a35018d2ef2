#include "definition/dialects/dialect.h"

#include <array>

#include "definition/dialects/files.h"
#include "definition/dialects/keys.h"
#include "definition/validate.h"

namespace slipway::definition {

namespace {

constexpr std::string_view kJobs = ".reactorcide/jobs/";
constexpr std::string_view kWorkflows = ".reactorcide/workflows/";

bool lies_in(std::string_view file_name, std::string_view directory) {
  const std::size_t at = file_name.rfind(directory);
  return at != std::string_view::npos && (at == 0 || file_name[at - 1] == '/');
}

/// What only the server may say of a job.
void refuse_reserved(Source& source, Node& node) {
  constexpr std::array<std::string_view, 6> kReserved = {"authority",       "ci_origin",      "execution_profile",
                                                         "policy_revision", "policy_rule_id", "approval_id"};
  for (const Node::Entry& entry : node.entries) {
    if (std::ranges::find(kReserved, entry.key->text) != kReserved.end()) {
      source.report(*entry.key, "E070", "`" + entry.key->text + "` is not for files: it says what a file may do",
                    "leave it out");
      entry.value->bad = true;
      continue;
    }
    refuse_reserved(source, *entry.value);
  }
  for (Node* item : node.items) refuse_reserved(source, *item);
}

// Unknown-key errors would repeat what `refuse_reserved` said better.
void drop_reported(Node& node) {
  std::erase_if(node.entries, [](const Node::Entry& entry) { return entry.key->bad; });
  for (const Node::Entry& entry : node.entries) drop_reported(*entry.value);
  for (Node* item : node.items) drop_reported(*item);
}

}  // namespace

std::string expression_text(std::string_view text) {
  std::string written = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') written += '\\';
    written += c;
  }
  return written + '"';
}

std::string_view to_string(Dialect dialect) {
  switch (dialect) {
    case Dialect::slipway: return "slipway";
    case Dialect::reactorcide_job: return "reactorcide job";
    case Dialect::reactorcide_workflow: return "reactorcide workflow";
    case Dialect::job_file: return "job file";
    case Dialect::registry: return "registry";
  }
  return "slipway";
}

Dialect dialect_of(std::string_view file_name, const Node* root) {
  if (lies_in(file_name, kJobs)) return Dialect::reactorcide_job;
  if (lies_in(file_name, kWorkflows)) return Dialect::reactorcide_workflow;
  if (lies_in(file_name, ".slipway/workflows/") || lies_in(file_name, ".slipway/jobs/")) return Dialect::slipway;
  const auto has = [&](std::string_view key) { return member(root, key) != nullptr; };
  if (has("workflow")) return Dialect::slipway;
  if (has("projects")) return Dialect::registry;
  if (has("job")) {
    const bool theirs = has("name") || has("triggers") || has("environment") || has("paths");
    return theirs ? Dialect::reactorcide_job : Dialect::slipway;
  }
  if (has("jobs")) {
    const Node* on = has("triggers") ? member(root, "triggers") : member(root, "on");
    return member(on, "events") != nullptr ? Dialect::reactorcide_workflow : Dialect::slipway;
  }
  const bool flat = has("job_command") || has("command") || has("ci_code") || (has("name") && has("image"));
  return flat ? Dialect::job_file : Dialect::slipway;
}

bool check_foreign(Source& source, Document& document, const Shape& shape) {
  for (Node& node : document.nodes) node.literal = true;
  if (document.root == nullptr) {
    source.report_at({source.file(), 1, 1}, "E010", "the file is empty", "describe a job in it");
    return false;
  }
  refuse_reserved(source, *document.root);
  drop_reported(*document.root);
  validate(source, *document.root, shape, "the file");
  return !document.root->bad;
}

Translation translate(Dialect dialect, Source& source, Document& document, const ReadOptions& options) {
  switch (dialect) {
    case Dialect::reactorcide_job: return translate_reactorcide_job(source, document, options);
    case Dialect::reactorcide_workflow: return translate_reactorcide_workflow(source, document, options);
    case Dialect::job_file: return translate_job_file(source, document, options);
    case Dialect::registry:
    case Dialect::slipway: break;
  }
  Translation own;
  own.root = document.root;
  return own;
}

// --- Nodes ---

Node* NodeMaker::make(const Node& at, Node::Kind kind) {
  Node& node = document_.nodes.emplace_back();
  node.kind = kind;
  node.complete = true;
  node.line = at.line;
  node.column = at.column;
  node.file = at.file;
  node.offset = kNowhere;
  return &node;
}

Node* NodeMaker::text(const Node& at, std::string text) {
  Node* node = make(at, Node::Kind::scalar);
  node->text = std::move(text);
  node->plain = false;
  node->literal = true;
  return node;
}

Node* NodeMaker::plain(const Node& at, std::string text) {
  Node* node = this->text(at, std::move(text));
  node->plain = true;
  return node;
}

Node* NodeMaker::expression(const Node& at, std::string text) {
  Node* node = this->text(at, std::move(text));
  node->literal = false;
  return node;
}

Node* NodeMaker::list(const Node& at, std::vector<Node*> items) {
  Node* node = make(at, Node::Kind::sequence);
  node->items = std::move(items);
  return node;
}

Node* NodeMaker::texts(const Node& at, const std::vector<std::string>& items) {
  Node* node = list(at);
  for (const std::string& item : items) node->items.push_back(text(at, item));
  return node;
}

Node* NodeMaker::map(const Node& at) { return make(at, Node::Kind::mapping); }

void NodeMaker::put(Node* map, const Node& at, std::string_view key, Node* value) {
  if (value == nullptr) return;
  for (Node::Entry& entry : map->entries) {
    if (entry.key->text != key) continue;
    entry.value = value;
    return;
  }
  map->entries.push_back({text(at, std::string(key)), value});
}

Node* member(const Node* mapping, std::string_view key) {
  if (mapping == nullptr) return nullptr;
  for (const Node::Entry& entry : mapping->entries) {
    if (entry.key->text == key && !entry.key->bad && !entry.value->bad) return entry.value;
  }
  return nullptr;
}

Node& key_of(Node& mapping, std::string_view key) {
  for (const Node::Entry& entry : mapping.entries) {
    if (entry.key->text == key) return *entry.key;
  }
  return mapping;
}

std::vector<Node*> items_of_list(Node* node) {
  if (node == nullptr || node->bad || node->kind == Node::Kind::null) return {};
  if (node->kind == Node::Kind::scalar) return {node};
  std::vector<Node*> items;
  for (Node* item : node->items) {
    if (!item->bad && item->kind == Node::Kind::scalar) items.push_back(item);
  }
  return items;
}

}  // namespace slipway::definition
