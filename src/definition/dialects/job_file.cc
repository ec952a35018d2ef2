// Flat job files, for `slipway run-job FILE`: with `command`, with `job_command`, or with the code of two checkouts.
#include <fmt/format.h>

#include "base/text.h"
#include "definition/dialects/files.h"
#include "definition/dialects/job_parts.h"
#include "definition/dialects/keys.h"
#include "definition/scalars.h"

namespace slipway::definition {

namespace {

void put_code(const Desk& desk, const Node& key, Node& from, std::string_view ours, Node* job) {
  Node* code = desk.make.map(from);
  const auto take = [&](std::string_view theirs, std::string_view name) {
    Node* value = member(&from, theirs);
    if (value != nullptr && !value->text.empty())
      desk.make.put(code, *value, name, desk.make.text(*value, value->text));
  };
  for (const char* url : {"git_url", "url"}) take(url, "url");
  for (const char* ref : {"git_ref", "ref"}) take(ref, "ref");
  take("path", "path");
  if (!code->entries.empty()) desk.make.put(job, key, ours, code);
}

/// `source: {type, url, ref, path}`
void put_source(const Desk& desk, Node& file, Node& source, Node* job) {
  const Node& key = key_of(file, "source");
  Node* type = member(&source, "type");
  const std::string kind = type == nullptr ? "git" : type->text;
  if (kind == "none") return desk.make.put(job, key, "checkout", desk.make.plain(*type, "none"));
  put_code(desk, key, source, "source_code", job);
  Node* url = member(member(job, "source_code"), "url");
  if (url == nullptr) return;
  // Where the URL alone does not say what lies behind it.
  const bool named = kind == "hg" || kind == "svn";
  if (named && !url->text.starts_with(kind + "+") && !url->text.starts_with(kind + "://"))
    url->text = kind + "+" + url->text;
  if (kind == "tarball" && !url->text.starts_with("tar+") && !url->text.starts_with('/'))
    url->text = "tar+" + url->text;
}

/// `secrets: [{name, value}]`: the name goes into the job, the value past it.
void put_secrets(const Desk& desk, Node& file, Node& secrets, Node* job) {
  Node* names = member(job, "secrets");
  if (names == nullptr) names = desk.make.list(secrets);
  for (Node* secret : secrets.items) {
    Node* name = member(secret, "name");
    Node* value = member(secret, "value");
    if (secret->bad || name == nullptr || value == nullptr) continue;
    names->items.push_back(desk.make.text(*name, name->text));
    desk.made.secret_values.push_back({name->text, value->text});
    desk.source.note_secret(*value, "E074", fmt::format("the value of the secret {} stands in the file", name->text),
                            fmt::format("`secrets: [{0}]` and --secret {0}, or --secret-file", name->text));
  }
  if (names->items.empty()) return;
  desk.make.put(job, key_of(file, "secrets"), "secrets", names);
  desk.comment(names, "values do not stand in files: give them with --secret NAME or --secret-file");
}

}  // namespace

Translation translate_job_file(Source& source, Document& document, const ReadOptions& options) {
  Translation made;
  if (!check_foreign(source, document, kFlatJobFile)) return made;
  Node& file = *document.root;
  NodeMaker make(document);
  const Desk desk{source, make, options, made};
  Node* job = make.map(file);
  for (const char* key : {"name", "description"}) put_text(desk, file, key, job);
  translate_job(desk, file, job);
  Node* resources = member(&file, "resources");
  const bool of_reactorcide = member(&file, "command") != nullptr;
  Node* amounts = translate_resources(
      desk, resources != nullptr && resources->kind == Node::Kind::mapping ? *resources : file, job);
  if (amounts == nullptr) amounts = make.map(file);
  if (of_reactorcide) {
    if (member(amounts, "cpu") == nullptr) make.put(amounts, file, "cpu", make.plain(file, kStandardCpu));
    if (member(amounts, "memory") == nullptr) make.put(amounts, file, "memory", make.plain(file, kStandardMemory));
    make.put(job, file, "presets", make.texts(file, {kReactorcidePreset}));
  }
  if (!amounts->entries.empty()) make.put(job, file, "resources", amounts);
  translate_environment(desk, member(&file, "environment"), job);
  if (Node* variables = member(&file, "job_env")) {
    if (member(&file, "environment") != nullptr)
      source.report(key_of(file, "job_env"), "E019", "the file has both `environment` and `job_env`", "keep one");
    translate_environment(desk, variables, job);
  }
  if (Node* secrets = member(&file, "secrets"); secrets != nullptr && secrets->kind == Node::Kind::sequence)
    put_secrets(desk, file, *secrets, job);
  if (Node* from = member(&file, "source"); from != nullptr && from->kind == Node::Kind::mapping)
    put_source(desk, file, *from, job);
  for (const auto& [theirs, ours] :
       {std::pair("git", "source_code"), std::pair("ci_code", "ci_code"), std::pair("source_code", "source_code")}) {
    Node* code = member(&file, theirs);
    if (code == nullptr || code->kind != Node::Kind::mapping) continue;
    if (member(job, ours) != nullptr)
      source.report(key_of(file, theirs), "E019",
                    fmt::format("`{}` and another key both say where the source is", theirs), "keep one");
    put_code(desk, key_of(file, theirs), *code, ours, job);
  }
  if (const Node* mode = member(member(&file, "checkout"), "mode"); mode != nullptr && mode->text == "shared")
    desk.no_effect(*mode, job, "`mode: shared`: every job has a checkout of its own, made from one mirror");
  translate_command(desk, file, job);
  if (Node* script = member(&file, "job_command")) {
    if (of_reactorcide)
      source.report(key_of(file, "job_command"), "E019", "the file has both `command` and `job_command`", "keep one");
    put_script(desk, key_of(file, "job_command"), *script, job);
  }
  made.root = make.map(file);
  make.put(made.root, file, "job", job);
  return made;
}

}  // namespace slipway::definition
