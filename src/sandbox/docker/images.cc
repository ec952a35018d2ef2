#include "sandbox/docker/images.h"

#include <map>

#include <boost/json.hpp>

#include <fmt/format.h>

namespace slipway::sandbox::docker {

namespace json = boost::json;

namespace {

using Source = rootfs::ImageReference::Source;

constexpr auto kTellEvery = std::chrono::milliseconds(500);

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::vector<std::string> texts_at(const json::object& object, std::string_view key) {
  std::vector<std::string> texts;
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) return texts;  // null: none
  for (const json::value& one : value->get_array()) {
    if (one.is_string()) texts.emplace_back(one.get_string());
  }
  return texts;
}

// Of a registry, in the words that the daemon passes on.
ErrorKind kind_of(std::string_view error) {
  for (const std::string_view word : {"denied", "unauthorized", "authentication"}) {
    if (error.find(word) != std::string_view::npos) return ErrorKind::denied;
  }
  for (const std::string_view word : {"not found", "manifest unknown", "does not exist"}) {
    if (error.find(word) != std::string_view::npos) return ErrorKind::not_found;
  }
  return ErrorKind::unavailable;
}

// Lines of the answer to a pull: {"status","id","progressDetail":{"current","total"}} or {"error"}.
class PullNews {
 public:
  PullNews(std::string image, const ImageProgress& progress) : image_(std::move(image)), progress_(progress) {}

  Result<void> take(std::string_view line) {
    boost::system::error_code bad;
    const json::value document = json::parse(std::string(line), bad);
    if (bad || !document.is_object()) return {};  // an empty line, or news that are not for us
    const json::object& news = document.get_object();
    if (const std::string error = text_at(news, "error"); !error.empty())
      return fail(kind_of(error), "Docker: " + error);
    if (const json::value* detail = news.if_contains("progressDetail"); detail != nullptr && detail->is_object()) {
      const auto number = [&](const char* key) -> std::uint64_t {
        const json::value* value = detail->get_object().if_contains(key);
        return value != nullptr && value->is_number() && value->to_number<double>() > 0
                   ? static_cast<std::uint64_t>(value->to_number<double>())
                   : 0;
      };
      constexpr std::size_t kMostLayers = 1000;
      if (text_at(news, "status") == "Downloading" && layers_.size() < kMostLayers) {
        layers_[text_at(news, "id")] = {number("current"), number("total")};
      }
    }
    tell();
    return {};
  }

 private:
  void tell() {
    if (!progress_ || os::Clock::now() - told_ < kTellEvery) return;
    told_ = os::Clock::now();
    ImageNews news{image_ + ": pulling", 0, 0};
    for (const auto& [id, sizes] : layers_) {
      news.done_bytes += sizes.first;
      news.total_bytes += sizes.second;
    }
    progress_(news);
  }

  const std::string image_;
  const ImageProgress& progress_;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> layers_;
  os::Deadline told_{};
};

Result<void> pull(Engine& engine, const rootfs::ImageReference& of, const std::string& image,
                  const ImageProgress& progress, const os::CallLimit& limit) {
  if (progress) progress({image + ": pulling", 0, 0});
  PullNews news(image, progress);
  auto done = engine.post_lines(
      fmt::format("/images/create?fromImage={}&tag={}", net::escape_component(of.name),
                  net::escape_component(of.is_pinned() ? of.digest : of.tag)),
      {}, [&](std::string_view line) { return news.take(line); }, limit);
  if (!done && done.error().kind == ErrorKind::internal) return fail(kind_of(done.error().what), done.error().what);
  return done;
}

// In which of the registry's manifests the daemon knows it; empty: in none, it was made here.
std::string digest_in(const json::object& image, const rootfs::ImageReference& reference) {
  std::string digest;
  for (const std::string& text : texts_at(image, "RepoDigests")) {
    const auto known = rootfs::parse_reference(text);
    if (!known || known->name != reference.name || !known->is_pinned()) continue;
    if (digest.empty() || known->digest == reference.digest) digest = known->digest;
  }
  return digest;
}

}  // namespace

Result<ImageFacts> read_image(std::string_view text, const rootfs::ImageReference& reference) {
  boost::system::error_code bad;
  const json::value document = json::parse(std::string(text), bad);
  if (bad || !document.is_object())
    return fail(ErrorKind::invalid, "Docker's answer about the image is no JSON object");
  const json::object& image = document.get_object();
  ImageFacts facts;
  facts.image = facts.digest = text_at(image, "Id");
  if (facts.image.empty()) return fail(ErrorKind::invalid, "Docker's answer about the image lacks its id");
  if (reference.source == Source::registry) {
    if (const std::string digest = digest_in(image, reference); !digest.empty()) {
      facts.image = reference.name + "@" + digest;
      facts.digest = digest;
    }
  }
  if (const json::value* config = image.if_contains("Config"); config != nullptr && config->is_object()) {
    const json::object& of = config->get_object();
    facts.entrypoint = texts_at(of, "Entrypoint");
    for (std::string& word : texts_at(of, "Cmd")) facts.entrypoint.push_back(std::move(word));
    for (const std::string& entry : texts_at(of, "Env")) {
      const auto equals = entry.find('=');
      if (equals != std::string::npos) facts.env.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
    }
    facts.working_dir = text_at(of, "WorkingDir");
    facts.user = text_at(of, "User");
  }
  return facts;
}

Result<ImageFacts> prepare_image(Engine& engine, const std::string& image, rootfs::Pull when,
                                 const ImageProgress& progress, const os::CallLimit& limit) {
  if (image == "host" || image.starts_with('/')) {
    return fail(ErrorKind::invalid, "it is of this machine's files, which Docker does not run");
  }
  SW_TRY(const rootfs::ImageReference reference, rootfs::parse_reference(image));
  if (reference.source == Source::oci_layout || reference.source == Source::docker_archive) {
    return fail(ErrorKind::invalid, "it lies in files of this machine, which Docker does not run");
  }
  const bool in_daemon = reference.source != Source::registry;
  const std::string name =
      in_daemon && !reference.is_pinned() ? reference.name + ":" + reference.tag : reference.text();
  const std::string target = "/images/" + net::escape_component(name) + "/json";
  const bool may_be_old = when == rootfs::Pull::always && !in_daemon && !reference.is_pinned();
  if (may_be_old) {
    if (const auto pulled = pull(engine, reference, image, progress, limit); !pulled)
      return wrap(pulled.error(), "pulling it failed (--pull always)");
  }
  auto known = engine.get(target, limit);
  if (!known && known.error().kind == ErrorKind::not_found && !in_daemon && !may_be_old) {
    if (when == rootfs::Pull::never) return rootfs::not_to_be_fetched();
    if (const auto pulled = pull(engine, reference, image, progress, limit); !pulled)
      return wrap(pulled.error(), "it is not on this machine, and pulling it failed");
    known = engine.get(target, limit);
  }
  if (!known) return std::unexpected(known.error());
  return read_image(*known, reference);
}

}  // namespace slipway::sandbox::docker
