#include "sandbox/adoption.h"

#include "sandbox/native/native_backend.h"
#include "sandbox/native/setup_spec.h"

// The part of NativeBackend by which a sandbox comes from one owner to the next.
namespace slipway::sandbox::native {

namespace {

std::string group_name(std::size_t number) { return "group-" + std::to_string(number); }

}  // namespace

// The locks of what is its own, and what it is seen and ended by.
Result<void> NativeBackend::leave_estate(const SandboxSpec& spec, Record& record, const os::Fd& leash,
                                         const os::CallLimit& limit) {
  std::vector<GroupShape> shapes;
  std::map<std::string, int> held = {{"slot", record.slot.lock.get()}, {"process", record.process.get()}};
  for (const os::CgroupDirectory& one : record.group.directories()) {
    held[group_name(shapes.size())] = one.fd.get();
    shapes.push_back({one.version, one.controllers});
  }
  if (record.guard) held["guard"] = record.guard.get();
  const auto image = images_.with([&](Images& images) {
    const auto found = images.find(spec.image);
    return found == images.end() ? nullptr : found->second;
  });
  if (image) held["image"] = image->in_use.fd();
  std::optional<os::FileLock> network, disk;
  if (spec.network == model::Network::nat && kind_ == Identity::Kind::root) {
    SW_TRY(network, nat_.share(limit));
    held["network"] = network->fd();
  }
  if (record.in_pool) {
    SW_TRY(disk, pool_.share(limit));
    held["disk"] = disk->fd();
  }
  const std::map<std::string, std::string> facts = {{"slot", std::to_string(record.slot.number)},
                                                    {"groups", encode_groups(shapes)},
                                                    {"source_id", std::to_string(record.source_id)},
                                                    {"job_id", std::to_string(record.job_id)},
                                                    {"has_source", record.has_source ? "1" : "0"}};
  return bequeath(record.directory, facts, held, spec.orphan_grace, leash);
}

Result<std::vector<SandboxId>> NativeBackend::list_orphans() { return orphans_in(sandboxes_.parent()); }

Result<Started> NativeBackend::adopt(const SandboxId& id, const os::CallLimit& limit) {
  SW_TRY(Adopted adopted, adopt_from(sandboxes_.parent(), id, limit));
  Estate& estate = adopted.estate;
  auto record = std::make_shared<Record>();
  record->id = id;
  SW_TRY(const std::int64_t slot, estate.number("slot"));
  SW_TRY(record->slot.lock, estate.take("slot"));
  record->slot.number = static_cast<int>(slot);
  SW_TRY(record->process, estate.take("process"));
  SW_TRY(const std::string groups, estate.fact("groups"));
  SW_TRY(const std::vector<GroupShape> shapes, decode_groups(groups));
  std::vector<os::CgroupDirectory> directories;
  for (const GroupShape& shape : shapes) {
    SW_TRY(os::Fd fd, estate.take(group_name(directories.size())));
    directories.push_back({std::move(fd), shape.version, shape.controllers});
  }
  record->group = os::SandboxCgroup(std::move(directories), adopted.directory.groups());
  SW_TRY(const std::int64_t source_id, estate.number("source_id"));
  SW_TRY(const std::int64_t job_id, estate.number("job_id"));
  SW_TRY(const std::int64_t has_source, estate.number("has_source"));
  record->source_id = static_cast<std::uint32_t>(source_id);
  record->job_id = static_cast<std::uint32_t>(job_id);
  record->has_source = has_source == 1;
  if (estate.held.contains("guard")) {
    SW_TRY(record->guard, estate.take("guard"));
  }
  // A disk in the pool of the dead owner goes with the last sandbox that has one there (Pool::share).
  record->directory = std::move(adopted.directory);
  sandboxes_.add(record);
  return Started{id, std::move(adopted.leash), {}, std::move(adopted.note)};
}

}  // namespace slipway::sandbox::native
