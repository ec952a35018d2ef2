#pragma once

/// What no sandbox shows of the machine, though any user of it could read most of that: Docker's own list, and more.
namespace slipway::sandbox {

inline constexpr const char* kMaskedFiles[] = {
    "/proc/config.gz", "/proc/diskstats",     "/proc/partitions", "/proc/interrupts",  "/proc/kcore",
    "/proc/keys",      "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug"};
inline constexpr const char* kMaskedDirectories[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware",
                                                     "/sys/devices/virtual/powercap"};

}  // namespace slipway::sandbox
