#include "main/images.h"

#include "cli/completion.h"
#include "cli/exit_codes.h"
#include "cli/images.h"
#include "main/backends.h"
#include "main/console.h"
#include "model/plan.h"
#include "sandbox/rootfs/image_store.h"

namespace slipway::program {

namespace {

using sandbox::rootfs::ImageStore;

constexpr auto kLimit = std::chrono::minutes(5);  // a fetch under way is waited for

cli::RunsStyle style_of(const Surroundings& around) {
  return {around.common.json, false, std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())};
}

cli::ImageEntry entry_of(const sandbox::rootfs::ListedImage& image) {
  return {image.id, image.names, image.bytes, image.layers, image.last_used, image.in_use};
}

Result<std::vector<cli::ImageEntry>> entries_of(const Surroundings& around) {
  SW_TRY(const auto store, open_images(around.configuration.settings()));
  SW_TRY(const auto images, store.list());
  std::vector<cli::ImageEntry> entries;
  for (const auto& image : images) entries.push_back(entry_of(image));
  return entries;
}

std::string removed_text(const ImageStore::Removed& removed, const cli::RunsStyle& style) {
  std::vector<cli::ImageEntry> entries;
  for (const auto& image : removed.images) entries.push_back(entry_of(image));
  return cli::removed_images(entries, removed.freed_bytes, style);
}

}  // namespace

int list_images(const Surroundings& around) {
  const auto images = entries_of(around);
  return images ? print(cli::list_images(*images, style_of(around))) : complain(images.error());
}

int complete_images(const Surroundings& around) {
  const auto images = entries_of(around);
  return images ? print(cli::image_words(*images)) : complain(images.error());
}

int remove_images(const Surroundings& around, const cli::ImagesRemoveOptions& options) {
  const auto store = open_images(around.configuration.settings());
  if (!store) return complain(store.error());
  ImageStore::Removed all;
  for (const std::string& name : options.images) {
    const auto removed = store->remove(name, os::within(kLimit));
    if (!removed) return complain(removed.error());
    all.images.insert(all.images.end(), removed->images.begin(), removed->images.end());
    all.freed_bytes += removed->freed_bytes;
  }
  return print(removed_text(all, style_of(around)));
}

int prune_images(const Surroundings& around, const cli::ImagesPruneOptions& options) {
  const cli::Settings& settings = around.configuration.settings();
  const auto store = open_images(settings);
  if (!store) return complain(store.error());
  const auto removed = store->prune(options.all ? 0 : settings.image_bytes, os::within(kLimit));
  if (!removed) return complain(removed.error());
  return print(removed_text(*removed, style_of(around)));
}

void note_known_images(std::vector<cli::Planned>& planned, const cli::Settings& settings) {
  std::error_code none;
  if (!std::filesystem::exists(settings.state_dir / "images", none)) return;
  const auto store = open_images(settings);
  if (!store) return;
  for (cli::Planned& one : planned) {
    for (std::size_t i = 0; one.run && i < one.run->jobs.size(); ++i) {
      const auto spec =
          model::resolve(*one.run, static_cast<model::JobIndex>(i), AttemptId(), 1, model::Purpose::preview);
      if (!spec || spec->image == "host" || spec->image.starts_with('/')) continue;
      const auto reference = sandbox::rootfs::parse_reference(spec->image);
      if (!reference) continue;
      if (const auto known = store->known(*reference)) one.known_images[spec->image] = *known;
    }
  }
}

}  // namespace slipway::program
