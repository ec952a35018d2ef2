#include "cli/resolved.h"

#include "base/scope_exit.h"
#include "base/text.h"
#include "cli/json_writer.h"
#include "definition/yaml_text.h"

namespace slipway::cli {

using definition::yaml_scalar;

namespace {

// The largest unit that is exact: `5m` as people write it, not `300s`.
std::string duration_text(Duration duration) {
  constexpr std::pair<Duration, std::string_view> kUnits[] = {
      {std::chrono::hours(1), "h"}, {std::chrono::minutes(1), "m"}, {std::chrono::seconds(1), "s"}};
  for (const auto& [unit, name] : kUnits) {
    if (duration >= unit && duration % unit == Duration(0)) return fmt::format("{}{}", duration / unit, name);
  }
  return fmt::format("{}ms", duration.count() / 1000);
}

std::string list_text(const std::vector<std::string>& items) {
  std::vector<std::string> texts;
  for (const std::string& item : items) texts.push_back(yaml_scalar(item));
  return fmt::format("[{}]", join(texts, ", "));
}

std::string_view network_text(model::Network network) {
  switch (network) {
    case model::Network::nat: return "nat";
    case model::Network::none: return "none";
    case model::Network::host: return "host";
  }
  return "nat";
}

std::string_view when_text(model::ArtifactDefinition::When when) {
  switch (when) {
    case model::ArtifactDefinition::When::success: return "success";
    case model::ArtifactDefinition::When::failure: return "failure";
    case model::ArtifactDefinition::When::always: return "always";
  }
  return "success";
}

std::string run_as_text(const model::RunAs& run_as) {
  switch (run_as.kind) {
    case model::RunAs::Kind::runner: return "runner";
    case model::RunAs::Kind::root: return "root";
    case model::RunAs::Kind::number: return fmt::format("{}", run_as.uid);
    case model::RunAs::Kind::source: return "source";
  }
  return "runner";
}

// Where a value comes from that the job's own keys do not give; empty: from there.
std::string origin_of(const model::JobDefinition& definition, const std::string& key) {
  if (const auto known = definition.origins.find(key); known != definition.origins.end()) return known->second;
  if (definition.places.contains(key) || key == "name" || key == "definition") return {};
  if (key == "ci_code" || key == "source_code") return "the workflow";
  return key == "image" || key == "resources" ? "settings" : "built in";
}

// Writes one mapping; `definition`: of the job whose mapping it is, whose defaults are told; may be null.
class Mapping {
 public:
  Mapping(std::string& out, std::size_t indent, const model::JobDefinition* definition, bool in_list)
      : out_(out), indent_(indent), definition_(definition), first_in_list_(in_list) {}

  void raw(const std::string& key, const std::string& value) {
    begin(key);
    out_ += ' ' + value;
    const std::string origin = definition_ == nullptr ? std::string() : origin_of(*definition_, key);
    if (!origin.empty() && value.find('\n') == std::string::npos) {
      out_ += fmt::format("  # {}", printable(origin, Colour::strip));
    }
    out_ += '\n';
  }
  void text(const std::string& key, const std::string& value) { raw(key, yaml_scalar(value, indent_ + 2)); }
  void flag(const std::string& key, bool value) { raw(key, value ? "true" : "false"); }
  void texts(const std::string& key, const std::vector<std::string>& values) {
    if (!values.empty()) raw(key, list_text(values));
  }
  void duration(const std::string& key, const std::optional<Duration>& value) {
    if (value) raw(key, duration_text(*value));
  }
  void variables(const std::string& key, const model::Variables& values) {
    if (values.empty()) return;
    begin(key);
    out_ += '\n';
    for (const auto& [name, value] : values)
      out_ += fmt::format("{:{}}{}: {}\n", "", indent_ + 2, yaml_scalar(name), yaml_scalar(value, indent_ + 4));
  }
  void secrets(const std::vector<model::SecretUse>& uses) {
    if (uses.empty()) return;
    begin("secrets");
    out_ += '\n';
    for (const model::SecretUse& use : uses) {
      out_ += fmt::format("{:{}}- {{name: {}, {}: {}}}\n", "", indent_ + 2, yaml_scalar(use.name),
                          use.file.empty() ? "env" : "file", yaml_scalar(use.file.empty() ? use.env : use.file));
    }
  }
  void begin(const std::string& key) {
    out_ += first_in_list_ ? fmt::format("{:{}}- ", "", indent_ - 2) : fmt::format("{:{}}", "", indent_);
    first_in_list_ = false;
    out_ += key + ":";
  }

 private:
  std::string& out_;
  std::size_t indent_;
  const model::JobDefinition* definition_;
  bool first_in_list_;
};

// What runs it is known once the file is there.
std::string entrypoint_text(const model::JobSpec& job) {
  return list_text({fmt::format("{}/ci/{}", job.workspace, job.ci_code->path)}) + "  # by its `#!` line, or its ending";
}

void append_step(std::string& out, const model::JobSpec& job, const model::StepSpec& step) {
  Mapping map(out, 8, nullptr, true);
  map.text("name", step.name);
  std::visit(Overloaded{[&](const model::Script& script) { map.text("run", script.text); },
                        [&](const model::Argv& argv) {
                          if (job.code_entrypoint)
                            map.raw("command", entrypoint_text(job));
                          else
                            map.raw("command", list_text(argv.words));
                        }},
             step.action);
  if (step.phase != model::Phase::steps) map.raw("phase", std::string(model::to_string(step.phase)));
  map.texts("shell", step.shell);
  map.text("working_dir", step.working_dir);
  map.variables("env", step.env);
  map.secrets(step.secrets);
  map.raw("run_as", run_as_text(step.run_as));
  map.duration("timeout", step.timeout);
  map.duration("no_output_timeout", step.no_output_timeout);
  if (step.parallel) map.flag("parallel", true);
  if (step.depends_on) {
    std::vector<std::string> names;
    for (const std::size_t index : *step.depends_on) names.push_back(job.steps.at(index).name);
    map.raw("depends_on", list_text(names));
  }
  if (step.condition) map.text("condition", step.condition->text);
  if (step.continue_on_error) map.flag("continue_on_error", true);
  if (step.end_children) map.raw("end_children", "step");
  if (step.retry.attempts > 0) map.raw("retry", fmt::format("{{attempts: {}}}", step.retry.attempts));
}

std::string checkout_text(const model::Checkout& checkout) {
  if (checkout.none) return "none";
  return fmt::format("{{{}submodules: {}, lfs: {}, clean: {}}}",
                     checkout.depth ? fmt::format("depth: {}, ", *checkout.depth) : "", checkout.submodules,
                     checkout.lfs, checkout.clean);
}

// What was looked up stands in place of the ref, which is told behind it.
std::string code_text(const model::CodeSpec& code) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    parts.push_back(fmt::format("{}: {}", key, yaml_scalar(value)));
  };
  add("url", code.url);
  add("ref", code.revision.empty() ? code.ref : code.revision);
  add("path", code.path);
  std::string text = fmt::format("{{{}}}", join(parts, ", "));
  if (!code.revision.empty() && !code.ref.empty()) text += "  # " + printable(code.ref, Colour::strip);
  return text;
}

std::string retry_text(const model::Retry& retry) {
  std::vector<std::string> outcomes;
  for (const model::Outcome outcome : retry.on) outcomes.emplace_back(model::to_string(outcome));
  return fmt::format("{{attempts: {}, on: {}, backoff: {}}}", retry.attempts, list_text(outcomes),
                     duration_text(retry.backoff));
}

void append_resources(Mapping& map, const model::Resources& resources) {
  std::vector<std::string> parts;
  if (resources.cpus) parts.push_back(fmt::format("cpu: {:g}", *resources.cpus));
  if (resources.memory_bytes) parts.push_back(fmt::format("memory: {}B", *resources.memory_bytes));
  if (resources.disk_bytes) parts.push_back(fmt::format("disk: {}B", *resources.disk_bytes));
  if (resources.pids) parts.push_back(fmt::format("pids: {}", *resources.pids));
  if (!parts.empty()) map.raw("resources", fmt::format("{{{}}}", join(parts, ", ")));
}

void append_service(std::string& out, const model::ServiceSpec& service) {
  Mapping map(out, 8, nullptr, true);
  map.text("name", service.name);
  map.text("image", service.image);
  map.variables("env", service.env);
  map.texts("command", service.command);
  if (!service.ready) return;
  map.begin("ready");
  out += '\n';
  const model::Readiness& ready = *service.ready;
  Mapping when(out, 10, nullptr, false);
  if (ready.tcp) when.raw("tcp", fmt::format("{}", *ready.tcp));
  if (!ready.http.empty()) when.text("http", ready.http);
  if (!ready.log.empty()) when.text("log", ready.log);
  when.texts("command", ready.command);
  when.duration("within", ready.within);
}

void append_passed_on(std::string& out, Mapping& map, const model::JobSpec& job) {
  if (!job.cache.empty()) {
    map.begin("cache");
    out += '\n';
    for (const model::CacheSpec& cache : job.cache) {
      out += fmt::format("      - {{key: {}, restore: {}, paths: {}}}\n", yaml_scalar(cache.key),
                         list_text(cache.restore), list_text(cache.paths));
    }
  }
  if (!job.artifacts.empty()) {
    map.begin("artifacts");
    out += '\n';
    for (const model::ArtifactSpec& artifact : job.artifacts) {
      out += fmt::format("      - {{name: {}, paths: {}, when: {}{}}}\n", yaml_scalar(artifact.name),
                         list_text(artifact.paths), when_text(artifact.when),
                         artifact.expires ? ", expires: " + duration_text(*artifact.expires) : "");
    }
  }
  map.texts("tests", job.tests);
  std::vector<std::string> uses;
  for (const model::ArtifactUse& use : job.uses_artifacts) uses.push_back(use.name);
  map.texts("uses_artifacts", uses);
  map.texts("outputs", job.outputs);
}

}  // namespace

std::string resolved_yaml(const model::JobSpec& job, const model::JobDefinition& definition,
                          const std::map<std::string, std::string>& known_images) {
  std::string out;
  Mapping map(out, 4, &definition, true);
  map.text("name", job.job);
  if (job.definition != job.job) map.text("definition", job.definition);
  map.text("image", job.image);
  if (const auto known = known_images.find(job.image); known != known_images.end()) {
    out += fmt::format("    # here it is {}\n", printable(known->second, Colour::strip));
  }
  map.raw("network", std::string(network_text(job.network)));
  append_resources(map, job.resources);
  map.raw("run_as", run_as_text(job.run_as));
  map.text("workspace", job.workspace);
  map.flag("read_only_root", job.read_only_root);
  map.flag("nested", job.nested);
  map.texts("devices", job.devices);
  map.raw("checkout", checkout_text(job.checkout));
  if (job.ci_code) map.raw("ci_code", code_text(*job.ci_code));
  if (job.source_code) map.raw("source_code", code_text(*job.source_code));
  map.raw("depends_on", list_text(definition.depends_on));
  map.text("condition", definition.condition ? definition.condition->text : "all_success");
  map.flag("continue_on_error", definition.continue_on_error);
  map.raw("retry", retry_text(definition.retry.value_or(model::Retry{})));
  map.duration("timeout", job.timeout);
  map.duration("no_output_timeout", job.no_output_timeout);
  map.variables("env", job.env);
  map.secrets(job.secrets);
  append_passed_on(out, map, job);
  if (!job.services.empty()) {
    map.begin("services");
    out += '\n';
    for (const model::ServiceSpec& service : job.services) append_service(out, service);
  }
  if (job.steps.empty()) return out;
  map.begin("steps");
  out += '\n';
  for (const model::StepSpec& step : job.steps) append_step(out, job, step);
  return out;
}

}  // namespace slipway::cli
