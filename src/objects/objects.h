#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::objects {

/// `blake2b:` and 64 hex digits: BLAKE2b-256 of the content. The algorithm's name leaves room for another.
struct Digest {
  std::string text;
  auto operator<=>(const Digest&) const = default;
};
/// Accepts exactly what a store makes; anything else is `invalid`, so a digest is safe to build a path from.
Result<Digest> parse_digest(std::string_view text);
/// Of everything from `fd`'s position to its end.
Result<Digest> digest_of(int fd, const os::CallLimit& limit);

struct Object {
  Digest digest;
  std::uint64_t bytes = 0;
  Time used{};  ///< when it was last put
};

/// Content on its way into the store. Dropped without `finish`, nothing remains.
class Upload {
 public:
  virtual ~Upload() = default;
  /// Where to write; may be given to another process, whose writes after `finish` have no effect on the object.
  virtual int fd() const = 0;
  /// Makes what was written an object. Once. `exhausted`: longer than the limit given to `begin`.
  virtual Result<Object> finish(const os::CallLimit& limit) = 0;
};

/// Immutable content by digest. Backends: file/.
///
/// Contract, proved for every backend by objects/contract_test.cc:
///  - any thread and several processes may call at once;
///  - an object is there whole or not at all, whatever dies in between; equal content is stored once;
///  - `open` gives exactly the bytes that were put.
/// Content is kept as it is, uncompressed: a descriptor goes to a sandbox without a copy, and most of what jobs leave
/// (archives, packages, images) is compressed already.
class Objects {
 public:
  virtual ~Objects() = default;

  virtual Result<std::unique_ptr<Upload>> begin(std::uint64_t most_bytes) = 0;
  /// A descriptor at the start, for reading only. `not_found`; `internal` where the content is damaged and the
  /// backend was asked to verify.
  virtual Result<os::Fd> open(const Digest& digest) = 0;
  virtual Result<bool> has(const Digest& digest) = 0;
  /// Removing what is not there is success. Open descriptors stay good.
  virtual Result<void> remove(const Digest& digest) = 0;
  virtual Result<std::vector<Object>> list() = 0;
  /// Removes what is not in `kept` and was last put before `put_before`: content just put, of which nobody has noted
  /// the digest yet, is safe with an hour's margin. What was removed.
  virtual Result<std::vector<Object>> sweep(const std::set<Digest>& kept, Time put_before) = 0;

  /// Everything from `fd`'s position to its end.
  Result<Object> put(int fd, std::uint64_t most_bytes, const os::CallLimit& limit);
};

}  // namespace slipway::objects
