#pragma once

/// What no sandbox reaches, whatever its network: this host, link-local and metadata addresses of clouds, what is for
/// several hosts. As nftables has sets.
namespace slipway::sandbox {

inline constexpr const char* kClosedAddresses =
    "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 100.100.100.200, 168.63.129.16, 224.0.0.0/4, 240.0.0.0/4";

}  // namespace slipway::sandbox
