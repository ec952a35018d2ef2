#include "cli/images.h"

#include "base/text.h"
#include "cli/configuration.h"
#include "cli/json_writer.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

namespace {

// `sha256:` and so many digits of an id name an image well enough for people.
constexpr std::size_t kShortId = 7 + 12;

std::string names_text(const ImageEntry& image) {
  std::vector<std::string> names;
  for (const auto& [name, digest] : image.names) {
    if (name.find('@') == std::string::npos) names.push_back(printable(name, Colour::strip));
  }
  return names.empty() ? "(no name)" : join(names, ", ");
}

void add_object(JsonWriter& json, const ImageEntry& image) {
  json.begin_object().field("id", image.id).begin_array("names");
  for (const auto& [name, digest] : image.names) {
    json.begin_object().field("name", name).field("digest", digest).end_object();
  }
  json.end_array().field("bytes", image.bytes).field("layers", image.layers).field("last_used", image.last_used);
  json.field("in_use", image.in_use).end_object();
}

}  // namespace

std::string list_images(const std::vector<ImageEntry>& images, const RunsStyle& style) {
  std::string text;
  for (const ImageEntry& image : images) {
    if (style.json) {
      JsonWriter json(text);
      add_object(json, image);
      text += '\n';
      continue;
    }
    text += fmt::format("{}  {:>10}  used {} ago{}  {}\n", image.id.substr(0, kShortId), size_text(image.bytes),
                        to_short_text(style.now - image.last_used), image.in_use ? ", now" : "", names_text(image));
  }
  if (text.empty() && !style.json) text = "No images here: a run that names one fetches it.\n";
  return text;
}

std::string removed_images(const std::vector<ImageEntry>& images, std::uint64_t freed_bytes, const RunsStyle& style) {
  std::string text;
  if (style.json) {
    JsonWriter json(text);
    json.begin_object().begin_array("removed");
    for (const ImageEntry& image : images) add_object(json, image);
    json.end_array().field("freed_bytes", freed_bytes).end_object();
    return text + '\n';
  }
  for (const ImageEntry& image : images) {
    text += fmt::format("removed {}  {}\n", image.id.substr(0, kShortId), names_text(image));
  }
  return text + fmt::format("{} freed.\n", size_text(freed_bytes));
}

}  // namespace slipway::cli
