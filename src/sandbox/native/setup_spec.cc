#include "sandbox/native/setup_spec.h"

#include <boost/json.hpp>

namespace slipway::sandbox::native {

namespace json = boost::json;

namespace {

constexpr ErrorKind kKinds[] = {ErrorKind::invalid, ErrorKind::not_found, ErrorKind::conflict,
                                ErrorKind::denied,  ErrorKind::exhausted, ErrorKind::unavailable,
                                ErrorKind::timeout, ErrorKind::cancelled, ErrorKind::internal};

json::array texts_to_json(const std::vector<std::string>& texts) {
  json::array all;
  for (const std::string& text : texts) all.emplace_back(text);
  return all;
}

std::vector<std::string> texts_of(const json::value& value) {
  std::vector<std::string> texts;
  for (const json::value& text : value.as_array()) texts.emplace_back(text.as_string());
  return texts;
}

json::object to_json(const Mount& mount) {
  json::object object{{"overlay", mount.kind == Mount::Kind::overlay},
                      {"outside", mount.outside.string()},
                      {"inside", mount.inside},
                      {"plain_data", mount.plain_data}};
  if (mount.owner) object["owner"] = *mount.owner;
  json::array replaced;
  for (const auto& [path, text] : mount.replaced) replaced.push_back(json::array{path, text});
  if (!replaced.empty()) object["replaced"] = std::move(replaced);
  if (!mount.hidden.empty()) object["hidden"] = texts_to_json(mount.hidden);
  if (mount.of_source) object["of_source"] = true;
  return object;
}

Mount mount_of(const json::object& object) {
  Mount mount;
  mount.kind = object.at("overlay").as_bool() ? Mount::Kind::overlay : Mount::Kind::read_only;
  mount.outside = std::string(object.at("outside").as_string());
  mount.inside = std::string(object.at("inside").as_string());
  mount.plain_data = object.at("plain_data").as_bool();
  if (const auto* owner = object.if_contains("owner")) mount.owner = owner->to_number<std::uint32_t>();
  if (const auto* replaced = object.if_contains("replaced")) {
    for (const json::value& one : replaced->as_array()) {
      mount.replaced.emplace_back(one.at(0).as_string(), one.at(1).as_string());
    }
  }
  if (const auto* hidden = object.if_contains("hidden")) mount.hidden = texts_of(*hidden);
  mount.of_source = object.contains("of_source");
  return mount;
}

json::object to_json(const PrivateNetwork& network) {
  json::object object{{"job", network.job.value}, {"services", texts_to_json(network.services)}};
  if (network.self) object["self"] = std::uint64_t{*network.self};
  return object;
}

PrivateNetwork private_network_of(const json::object& object) {
  PrivateNetwork network;
  network.job = SandboxId(std::string(object.at("job").as_string()));
  network.services = texts_of(object.at("services"));
  if (const auto* self = object.if_contains("self")) network.self = self->to_number<std::size_t>();
  return network;
}

SetupSpec spec_of(const json::object& object) {
  SetupSpec spec;
  SandboxSpec& box = spec.sandbox;
  box.id = SandboxId(std::string(object.at("id").as_string()));
  box.image = std::string(object.at("image").as_string());
  for (const json::value& mount : object.at("mounts").as_array()) box.mounts.push_back(mount_of(mount.as_object()));
  box.network = static_cast<model::Network>(object.at("network").to_number<int>());
  box.run_as.kind = static_cast<model::RunAs::Kind>(object.at("run_as").to_number<int>());
  box.run_as.uid = object.at("run_as_id").to_number<std::uint32_t>();
  box.workspace = std::string(object.at("workspace").as_string());
  box.hostname = std::string(object.at("hostname").as_string());
  box.read_only_root = object.at("read_only_root").as_bool();
  box.nested = object.at("nested").as_bool();
  if (const auto* beside = object.if_contains("beside")) {
    box.beside = Beside{SandboxId(std::string(beside->at("job").as_string())), beside->at("source").as_bool(),
                        texts_of(beside->at("shares"))};
  }
  if (const auto* network = object.if_contains("private_network")) {
    box.private_network = private_network_of(network->as_object());
  }
  box.devices = texts_of(object.at("devices"));
  spec.layers = texts_of(object.at("layers"));
  spec.slot = object.at("slot").to_number<int>();
  spec.disk = object.at("disk_in_memory").as_bool() ? SetupSpec::Disk::memory : SetupSpec::Disk::directory;
  spec.disk_bytes = object.at("disk_bytes").to_number<std::uint64_t>();
  spec.disk_path = std::string(object.at("disk_path").as_string());
  spec.nat = {std::string(object.at("nat_interface").as_string()), object.at("nat_host").to_number<std::uint32_t>(),
              object.at("nat_inside").to_number<std::uint32_t>()};
  spec.by_pasta = object.at("by_pasta").as_bool();
  for (const json::value& one : object.at("closed").as_array()) {
    spec.closed.push_back({one.at(0).to_number<std::uint32_t>(), one.at(1).to_number<std::uint8_t>()});
  }
  spec.nameservers = texts_of(object.at("nameservers"));
  spec.has_init_leaf = object.at("has_init_leaf").as_bool();
  spec.runner_outside = object.at("runner_outside").to_number<std::uint32_t>();
  spec.shared_owner = object.at("shared_owner").to_number<std::uint32_t>();
  spec.process_limit = object.at("process_limit").to_number<std::uint64_t>();
  return spec;
}

}  // namespace

std::string encode(const SetupSpec& spec) {
  const SandboxSpec& box = spec.sandbox;
  json::array mounts, closed;
  for (const Mount& mount : box.mounts) mounts.push_back(to_json(mount));
  for (const Subnet& one : spec.closed) closed.push_back(json::array{one.first, one.prefix_bits});
  json::object object{
      {"id", box.id.value},
      {"image", box.image},
      {"mounts", std::move(mounts)},
      {"network", static_cast<int>(box.network)},
      {"run_as", static_cast<int>(box.run_as.kind)},
      {"run_as_id", box.run_as.uid},
      {"workspace", box.workspace},
      {"hostname", box.hostname},
      {"read_only_root", box.read_only_root},
      {"nested", box.nested},
      {"devices", texts_to_json(box.devices)},
      {"layers", texts_to_json(spec.layers)},
      {"slot", spec.slot},
      {"disk_in_memory", spec.disk == SetupSpec::Disk::memory},
      {"disk_bytes", spec.disk_bytes},
      {"disk_path", spec.disk_path},
      {"nat_interface", spec.nat.interface},
      {"nat_host", spec.nat.host},
      {"nat_inside", spec.nat.inside},
      {"by_pasta", spec.by_pasta},
      {"closed", std::move(closed)},
      {"nameservers", texts_to_json(spec.nameservers)},
      {"has_init_leaf", spec.has_init_leaf},
      {"runner_outside", spec.runner_outside},
      {"shared_owner", spec.shared_owner},
      {"process_limit", spec.process_limit},
  };
  if (box.beside) {
    object["beside"] = json::object{
        {"job", box.beside->job.value}, {"source", box.beside->source}, {"shares", texts_to_json(box.beside->shares)}};
  }
  if (box.private_network) object["private_network"] = to_json(*box.private_network);
  return json::serialize(object);
}

Result<SetupSpec> decode_setup_spec(std::string_view text) {
  try {
    return spec_of(json::parse(text).as_object());
  } catch (const std::exception& error) {
    return fail(ErrorKind::invalid, std::string("a set-up request is broken: ") + error.what());
  }
}

std::string encode_groups(const std::vector<GroupShape>& groups) {
  json::array all;
  for (const GroupShape& group : groups) {
    all.push_back(json::object{{"version", group.version}, {"controllers", group.controllers}});
  }
  return json::serialize(all);
}

Result<std::vector<GroupShape>> decode_groups(std::string_view text) {
  try {
    std::vector<GroupShape> groups;
    const json::value value = json::parse(text);
    for (const json::value& group : value.as_array()) {
      groups.push_back({group.at("version").to_number<int>(), group.at("controllers").to_number<unsigned>()});
    }
    return groups;
  } catch (const std::exception& error) {
    return fail(ErrorKind::invalid, std::string("a list of control groups is broken: ") + error.what());
  }
}

std::string encode_pool_request(const std::string& mount_point) {
  return json::serialize(json::object{{"pool", mount_point}});
}

std::optional<std::string> decode_pool_request(std::string_view text) {
  if (!text.starts_with("{\"pool\"")) return std::nullopt;  // the common request is not parsed twice
  try {
    const json::value value = json::parse(text);
    return std::string(value.at("pool").as_string());
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string encode_failure(const Error& error) {
  return json::serialize(json::object{{"error", error.what}, {"kind", to_string(error.kind)}});
}

Result<void> decode_answer(std::string_view text) {
  try {
    const json::value value = json::parse(text);
    const json::object& object = value.as_object();
    const auto* error = object.if_contains("error");
    if (error == nullptr) return {};
    const std::string_view kind = object.at("kind").as_string();
    for (const ErrorKind known : kKinds) {
      if (to_string(known) == kind) return fail(known, std::string(error->as_string()));
    }
    return fail(ErrorKind::internal, std::string(error->as_string()));
  } catch (const std::exception& error) {
    return fail(ErrorKind::internal, std::string("the launcher's answer is broken: ") + error.what());
  }
}

}  // namespace slipway::sandbox::native
