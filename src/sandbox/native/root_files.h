#pragma once

#include <string>

#include "base/error.h"
#include "sandbox/native/host_layout.h"
#include "sandbox/native/identity.h"
#include "sandbox/native/setup_spec.h"

/// The files and directories that every sandbox has. Absolute paths are of the new root, in which the process stands.
namespace slipway::sandbox::native {

Result<void> make_devices(const std::string& directory, const Identity& identity);
/// One of the host's /dev, by its name below it: as the job's own where the machine's root can do that, else as it is.
Result<void> make_device(const std::string& directory, const std::string& name, std::uint32_t owner,
                         const Identity& identity);

/// passwd, group, hosts, hostname and resolv.conf into `directory`, the writable layer of /etc.
Result<void> write_identity_files(const std::string& directory, const SetupSpec& spec, const HostLayout& host,
                                  const Identity& identity);
/// The same in /etc of an image, whose own users stay.
Result<void> write_identity_files_of_image(const SetupSpec& spec, const Identity& identity);

/// `Mount::replaced` into `layer`, the writable layer of an overlay that is not in use yet.
Result<void> write_replaced(const std::string& layer, const std::vector<std::pair<std::string, std::string>>& replaced,
                            std::uint32_t owner, const Identity& identity);

/// `Mount::hidden`, the same.
Result<void> write_hidden(const std::string& layer, const std::vector<std::string>& hidden);

/// /usr/local as a place where the sandbox's root may install.
Result<void> make_local_directories(const std::string& usr, const Identity& identity);

Result<void> make_standard_directories(const SetupSpec& spec, const Identity& identity);
Result<void> make_run_directory(const Identity& identity);
/// In /run/slipway: where the program is mounted.
Result<void> make_program_place(const Identity& identity);
Result<void> make_workspace_directories(const SetupSpec& spec, const Identity& identity);

/// An empty directory or file at `path`, as `mount` needs it, where there is none yet.
Result<void> make_mount_point(int mount, const std::string& path, const Identity& identity);

}  // namespace slipway::sandbox::native
