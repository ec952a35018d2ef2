#include "sandbox/rootfs/image_record.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <sodium.h>

#include <boost/json.hpp>
#include "base/json.h"

namespace slipway::sandbox::rootfs {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostLayers = 127, kMostWords = 1000, kLongestText = 64U << 10U;

const json::object* object_at(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr ? value->if_object() : nullptr;
}

const json::array* array_at(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains(key);
  return value != nullptr ? value->if_array() : nullptr;
}

std::vector<std::string> texts_at(const json::object& from, std::string_view key) {
  std::vector<std::string> texts;
  const json::array* array = array_at(from, key);
  if (array == nullptr) return texts;
  for (const json::value& one : *array) {
    if (one.is_string() && texts.size() < kMostWords && one.get_string().size() <= kLongestText) {
      texts.emplace_back(one.get_string());
    }
  }
  return texts;
}

Result<std::string> digest_at(const json::object& from, std::string_view key, std::string_view what) {
  std::string digest = text_at(from, key);
  if (!is_digest(digest)) return fail(ErrorKind::invalid, std::string(what) + " has no sha256 digest");
  return digest;
}

json::array array_of(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

std::vector<std::pair<std::string, std::string>> variables_of(const std::vector<std::string>& entries) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const std::string& entry : entries) {
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) continue;
    variables.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

ImageConfig config_of(const json::object& from) {
  return {texts_at(from, "Entrypoint"), texts_at(from, "Cmd"), variables_of(texts_at(from, "Env")),
          text_at(from, "WorkingDir"), text_at(from, "User")};
}

}  // namespace

bool is_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + 64) return false;
  return text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

std::string digits_of(std::string_view digest) { return std::string(digest.substr(digest.find(':') + 1)); }

Result<std::string> manifest_of_index(std::string_view text) {
  SW_TRY(const json::object index, parse_object(text, "the image's index"));
  const json::array* manifests = array_at(index, "manifests");
  if (manifests == nullptr || manifests->size() != 1 || !manifests->front().is_object()) {
    return fail(ErrorKind::invalid, "the image's index does not name one manifest");
  }
  return digest_at(manifests->front().get_object(), "digest", "the image's manifest");
}

std::string manifest_for_this_machine(std::string_view text) {
#if defined(__x86_64__)
  constexpr std::string_view kMachine = "amd64";
#elif defined(__aarch64__)
  constexpr std::string_view kMachine = "arm64";
#else
  constexpr std::string_view kMachine = "";
#endif
  const auto index = parse_object(text, "the image's index");
  const json::array* manifests = index ? array_at(*index, "manifests") : nullptr;
  if (manifests == nullptr) return {};
  for (const json::value& one : *manifests) {
    const json::object* platform = one.is_object() ? object_at(one.get_object(), "platform") : nullptr;
    if (platform == nullptr || text_at(*platform, "os") != "linux") continue;
    if (text_at(*platform, "architecture") != kMachine) continue;
    const std::string digest = text_at(one.get_object(), "digest");
    return is_digest(digest) ? digest : std::string();
  }
  return {};
}

std::string digest_of(std::string_view text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> raw{};
  crypto_hash_sha256(raw.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return fmt::format("sha256:{:02x}", fmt::join(raw, ""));
}

Result<ManifestFacts> read_manifest(std::string_view text) {
  SW_TRY(const json::object manifest, parse_object(text, "the image's manifest"));
  ManifestFacts facts;
  const json::object* config = object_at(manifest, "config");
  const json::array* layers = array_at(manifest, "layers");
  if (config == nullptr || layers == nullptr) return fail(ErrorKind::invalid, "the image's manifest lacks its parts");
  if (layers->size() > kMostLayers) return fail(ErrorKind::invalid, "the image has more than 127 layers");
  SW_TRY(facts.config, digest_at(*config, "digest", "the image's configuration"));
  for (const json::value& layer : *layers) {
    if (!layer.is_object()) return fail(ErrorKind::invalid, "a layer of the image is not described");
    SW_TRY(facts.blobs.emplace_back(), digest_at(layer.get_object(), "digest", "a layer of the image"));
    const json::value* size = layer.get_object().if_contains("size");
    boost::system::error_code bad;
    if (size != nullptr && size->is_number()) facts.bytes += size->to_number<std::uint64_t>(bad);
  }
  return facts;
}

Result<ImageRecord> read_config(std::string_view text, const ManifestFacts& manifest) {
  SW_TRY(const json::object document, parse_object(text, "the image's configuration"));
  ImageRecord record;
  record.id = manifest.config;
  if (const std::string system = text_at(document, "os"); !system.empty() && system != "linux") {
    return fail(ErrorKind::invalid, "the image is for " + system + ", not for linux");
  }
  const json::object* root = object_at(document, "rootfs");
  const std::vector<std::string> diffs = root != nullptr ? texts_at(*root, "diff_ids") : std::vector<std::string>{};
  if (diffs.size() != manifest.blobs.size() || !std::all_of(diffs.begin(), diffs.end(), is_digest)) {
    return fail(ErrorKind::invalid, "the image's configuration and its manifest disagree about its layers");
  }
  for (std::size_t i = 0; i < diffs.size(); ++i) record.layers.push_back({diffs[i], manifest.blobs[i]});
  if (const json::object* config = object_at(document, "config")) record.config = config_of(*config);
  return record;
}

std::string encode(const ImageRecord& record) {
  json::array layers;
  for (const ImageLayer& layer : record.layers) layers.push_back({{"diff", layer.diff}, {"blob", layer.blob}});
  std::vector<std::string> env;
  for (const auto& [name, value] : record.config.env) env.push_back(name + "=" + value);
  return json::serialize(json::object{{"id", record.id},
                                      {"manifest", record.manifest},
                                      {"layers", std::move(layers)},
                                      {"config",
                                       {{"Entrypoint", array_of(record.config.entrypoint)},
                                        {"Cmd", array_of(record.config.command)},
                                        {"Env", array_of(env)},
                                        {"WorkingDir", record.config.working_dir},
                                        {"User", record.config.user}}}});
}

Result<ImageRecord> decode_record(std::string_view text) {
  SW_TRY(const json::object document, parse_object(text, "the record of an image"));
  ImageRecord record;
  SW_TRY(record.id, digest_at(document, "id", "the record of an image"));
  SW_TRY(record.manifest, digest_at(document, "manifest", "the record of an image"));
  if (const json::array* layers = array_at(document, "layers")) {
    for (const json::value& layer : *layers) {
      if (!layer.is_object()) return fail(ErrorKind::invalid, "the record of an image is broken");
      ImageLayer& made = record.layers.emplace_back();
      SW_TRY(made.diff, digest_at(layer.get_object(), "diff", "a layer"));
      SW_TRY(made.blob, digest_at(layer.get_object(), "blob", "a layer"));
    }
  }
  if (const json::object* config = object_at(document, "config")) record.config = config_of(*config);
  return record;
}

std::string encode(const KnownNames& names) {
  json::object document;
  for (const auto& [name, known] : names) document[name] = {{"id", known.id}, {"digest", known.digest}};
  return json::serialize(document);
}

Result<KnownNames> decode_names(std::string_view text) {
  SW_TRY(const json::object document, parse_object(text, "the list of images"));
  KnownNames names;
  for (const auto& [name, value] : document) {
    if (!value.is_object()) continue;
    KnownName known{text_at(value.get_object(), "id"), text_at(value.get_object(), "digest")};
    if (is_digest(known.id)) names.emplace(std::string(name), std::move(known));
  }
  return names;
}

}  // namespace slipway::sandbox::rootfs
