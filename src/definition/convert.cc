// `slipway convert`: what a dialect's reader made, written out for people.
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/dialects/files.h"
#include "definition/dialects/keys.h"
#include "definition/reader.h"
#include "definition/scalars.h"
#include "definition/yaml_text.h"

namespace slipway::definition {

namespace {

constexpr std::size_t kMostOfALine = 90;

/// `{{` as text, where our language would read an expression.
std::string without_expressions(const std::string& text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' && i + 1 < text.size() && text[i + 1] == '{') {
      // A dollar sign in front of an expression is an error: it goes in.
      const std::string dollars(made.size() - (made.find_last_not_of('$') + 1), '$');
      made.resize(made.size() - dollars.size());
      made += fmt::format(R"({{{{ "{}{{{{" }}}})", dollars);
      ++i;
    } else {
      made += text[i];
    }
  }
  return made;
}

class Writer {
 public:
  explicit Writer(const Translation& translation) : translation_(translation) {}

  std::string write(const Node& root) {
    write_map(root, 0);
    return std::move(out_);
  }

 private:
  static std::string scalar(const Node& node, std::size_t indent) {
    if (node.plain) return node.text;
    const std::string text = node.literal ? without_expressions(node.text) : node.text;
    return yaml_scalar(text, indent);
  }

  /// A key of ours, or a variable's name: YAML 1.2 takes `on` and `NO` for texts.
  static std::string key_text(const Node& key) { return is_identifier(key.text) ? key.text : scalar(key, 0); }

  bool has_comment(const Node& node) const {
    return translation_.comments.contains(&node) ||
           std::ranges::any_of(node.items, [&](const Node* item) { return has_comment(*item); }) ||
           std::ranges::any_of(node.entries, [&](const Node::Entry& entry) { return has_comment(*entry.value); });
  }

  /// On one line; none where it does not fit.
  std::optional<std::string> flow(const Node& node) const {
    if (has_comment(node)) return std::nullopt;
    if (node.kind == Node::Kind::scalar) {
      if (node.text.find('\n') != std::string::npos) return std::nullopt;
      return scalar(node, 0);
    }
    std::vector<std::string> parts;
    for (const Node* item : node.items) {
      auto part = flow(*item);
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
    for (const Node::Entry& entry : node.entries) {
      auto part = flow(*entry.value);
      if (!part) return std::nullopt;
      parts.push_back(fmt::format("{}: {}", key_text(*entry.key), *part));
    }
    std::string text = join(parts, ", ");
    if (text.size() > kMostOfALine) return std::nullopt;
    return node.kind == Node::Kind::mapping ? "{" + text + "}" : "[" + text + "]";
  }

  void comments_of(const Node& node, std::size_t indent) {
    const auto found = translation_.comments.find(&node);
    if (found == translation_.comments.end()) return;
    for (const std::string& comment : found->second)
      out_ += fmt::format("{:{}}# {}\n", "", indent, printable(comment, Colour::strip));
  }

  void write_map(const Node& map, std::size_t indent, bool first_in_list = false) {
    for (const Node::Entry& entry : map.entries) {
      if (first_in_list) {
        out_ += fmt::format("{:{}}- ", "", indent - 2);
      } else {
        comments_of(*entry.value, indent);
        out_ += fmt::format("{:{}}", "", indent);
      }
      first_in_list = false;
      write_entry(entry, indent);
    }
  }

  void write_entry(const Node::Entry& entry, std::size_t indent) {
    const std::string& key = entry.key->text;
    const Node& value = *entry.value;
    out_ += key_text(*entry.key) + ":";
    const bool unfolds = key == "workflow" || key == "job" || key == "jobs" || key == "defaults" ||
                         (key == "on" && value.entries.size() > 1) || (key == "env" && value.entries.size() > 1);
    if (value.kind == Node::Kind::scalar) {
      out_ += " " + scalar(value, indent + 2) + "\n";
    } else if (const auto line = unfolds ? std::nullopt : flow(value);
               line && line->size() + indent + key.size() <= kMostOfALine) {
      out_ += " " + *line + "\n";
    } else if (value.kind == Node::Kind::mapping) {
      out_ += "\n";
      write_map(value, indent + 2);
    } else {
      out_ += "\n";
      write_list(value, indent + 2);
    }
  }

  void write_list(const Node& list, std::size_t indent) {
    for (const Node* item : list.items) {
      comments_of(*item, indent);
      if (item->kind == Node::Kind::mapping && !item->entries.empty()) {
        const auto line = item->entries.size() <= 2 ? flow(*item) : std::nullopt;
        if (line)
          out_ += fmt::format("{:{}}- {}\n", "", indent, *line);
        else
          write_map(*item, indent + 2, true);
      } else if (item->kind == Node::Kind::scalar) {
        out_ += fmt::format("{:{}}- {}\n", "", indent, scalar(*item, indent + 2));
      }
    }
  }

  const Translation& translation_;
  std::string out_;
};

/// What our language does not allow is said otherwise, and told.
class Fitter {
 public:
  Fitter(Source& source, Document& document, Translation& translation)
      : source_(source), make_(document), translation_(translation) {}

  void fit(Node& root) {
    Node* job = member(&root, "job");
    if (job != nullptr) return fit_job(*job);
    Node* workflow = member(&root, "workflow");
    if (workflow == nullptr) return;
    if (Node* name = member(workflow, "name")) fit_name(*name, *name);
    fit_texts(*workflow);
    renamed_.clear();
    Node* jobs = member(workflow, "jobs");
    if (jobs == nullptr) return;
    for (const Node* one : jobs->items) {
      if (const Node* name = member(one, "name")) taken_.insert(name->text);
    }
    for (Node* one : jobs->items) fit_job(*one);
    for (Node* one : jobs->items) rename_in(*one);
  }

 private:
  void tell(Node& node, const Node* near, const std::string& what) {
    source_.note(node, "E076", what);
    translation_.comments[near].push_back(what);
  }

  void fit_name(Node& name, const Node& near) {
    if (is_name(name.text)) return;
    std::string fitting;
    for (const char c : name.text) {
      const std::string one(1, c);
      const bool good = is_name(one) || c == ' ' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
      fitting += good ? c : '-';
    }
    while (fitting.starts_with('-') || fitting.starts_with(' ')) fitting.erase(0, 1);
    if (!is_name(fitting)) fitting = "job";
    for (int number = 2; taken_.contains(fitting); ++number) fitting = fmt::format("job-{}", number);
    tell(name, &near, "was called " + expression_text(name.text));
    renamed_[name.text] = fitting;
    taken_.insert(fitting);
    name.text = fitting;
  }

  /// Keys whose values hold no expressions hold no `{{` either.
  void fit_texts(Node& owner) {
    constexpr std::array<std::string_view, 9> kOthers = {"env",     "image", "labels", "working_dir", "run",
                                                         "command", "jobs",  "name",   "defaults"};
    for (const Node::Entry& entry : owner.entries) {
      if (std::ranges::find(kOthers, entry.key->text) == kOthers.end()) part_braces(*entry.value);
    }
  }

  void part_braces(Node& node) {
    for (const Node::Entry& entry : node.entries) part_braces(*entry.value);
    for (Node* item : node.items) part_braces(*item);
    if (!node.literal || node.text.find("{{") == std::string::npos) return;
    for (std::size_t at = node.text.find("{{"); at != std::string::npos; at = node.text.find("{{", at))
      node.text.insert(at + 1, " ");
    tell(node, &node, "`{{` begins an expression: a blank is in it now");
  }

  void fit_job(Node& job) {
    if (Node* name = member(&job, "name")) fit_name(*name, job);
    fit_texts(job);
    for (Node::Entry& entry : job.entries) {
      const std::string& key = entry.key->text;
      const bool is_script = key == "run" && entry.value->text.find("{{") != std::string::npos;
      const bool is_argv = key == "command" && std::ranges::any_of(entry.value->items, [](const Node* word) {
                             return word->text.find("{{") != std::string::npos;
                           });
      if (is_script || is_argv) return move_to_variables(job, static_cast<std::size_t>(&entry - job.entries.data()));
    }
  }

  /// `{{` cannot stand in a script of ours: what holds it goes into variables.
  void move_to_variables(Node& job, std::size_t index) {
    Node* env = member(&job, "env");
    if (env == nullptr) make_.put(&job, job, "env", env = make_.map(job));
    Node::Entry& action = job.entries[index];
    std::vector<Node*> words = action.value->items;
    if (action.value->kind == Node::Kind::scalar)
      words = {make_.text(*action.value, "sh"), make_.text(*action.value, "-ec"), action.value};
    std::string line = "exec";
    int number = 0;
    for (Node* word : words) {
      const std::string name = fmt::format("CONVERTED_{}", ++number);
      make_.put(env, *word, name, make_.text(*word, word->text));
      line += fmt::format(" \"${}\"", name);
    }
    tell(*action.value, action.value, "`{{` cannot stand in a script: the command is in variables");
    action.key->text = "run";
    Node* run = make_.text(*action.value, line);
    translation_.comments[run] = translation_.comments[action.value];
    action.value = run;
  }

  void rename_in(Node& job) {
    if (renamed_.empty()) return;
    if (Node* wanted = member(&job, "depends_on")) {
      for (Node* item : wanted->items) {
        if (const auto found = renamed_.find(item->text); found != renamed_.end()) item->text = found->second;
      }
    }
    if (Node* condition = member(&job, "condition")) {
      for (const auto& [old, fitting] : renamed_) {
        const std::string written = expression_text(old), now = expression_text(fitting);
        for (std::size_t at = condition->text.find(written); at != std::string::npos;
             at = condition->text.find(written, at + now.size()))
          condition->text.replace(at, written.size(), now);
      }
    }
  }

  Source& source_;
  NodeMaker make_;
  Translation& translation_;
  std::map<std::string, std::string> renamed_;
  std::set<std::string> taken_;
};

void write(Source& source, Document& document, Translation& translation, Converted& converted) {
  Fitter(source, document, translation).fit(*translation.root);
  converted.is_job = member(translation.root, "job") != nullptr;
  if (const Node* name = member(member(translation.root, converted.is_job ? "job" : "workflow"), "name"))
    converted.name = name->text;
  converted.yaml = fmt::format("# from {}\n", printable(source.file(), Colour::strip)) +
                   Writer(translation).write(*translation.root);
}

}  // namespace

Converted convert(std::string_view text, const std::string& file_name, const ReadOptions& options) {
  Converted converted;
  ReadResult read = read_workflow(text, file_name, options);
  if (has_errors(read.problems) || read.dialect == Dialect::slipway) {
    converted.problems = std::move(read.problems);
    converted.is_ours = read.dialect == Dialect::slipway && !has_errors(converted.problems);
    return converted;
  }
  Source source(text, file_name);
  const auto document = parse_document(source);
  Translation translation = translate(read.dialect, source, *document, options);
  write(source, *document, translation, converted);
  converted.problems = std::move(source.problems());
  sort_problems(converted.problems);
  return converted;
}

Result<std::vector<Converted>> convert_registry(std::string_view text, const std::string& file_name,
                                                const ProjectQuery& query) {
  std::vector<Converted> all;
  SW_TRY(std::vector<ReadResult> read, read_registry(text, file_name, query));
  if (has_errors(read.front().problems)) {
    all.emplace_back().problems = std::move(read.front().problems);
    return all;
  }
  Source source(text, file_name);
  const auto document = parse_document(source);
  check_foreign(source, *document, kRegistryFile);
  SW_TRY(const std::vector<RegistryProject> projects, find_projects(*document->root, query));
  for (const RegistryProject& project : projects) {
    for (Node* job : project.jobs) {
      Translation translation = translate_registry_job(source, *document, *job, {});
      write(source, *document, translation, all.emplace_back());
    }
  }
  if (all.empty()) all.emplace_back();
  all.front().problems = std::move(source.problems());
  sort_problems(all.front().problems);
  return all;
}

}  // namespace slipway::definition
