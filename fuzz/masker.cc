// Secrets and a stream, both from the input: whatever way the stream is split, the same comes out, and no accepted
// secret is in it.
//   byte 0: number of secrets (0-3) · each: a length byte, then its bytes · a byte: seed of the split · rest: the
//   stream
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "secrets/masker.h"

using namespace slipway;

namespace {

std::string_view take(std::string_view& rest, std::size_t most) {
  const std::string_view head = rest.substr(0, most);
  rest.remove_prefix(head.size());
  return head;
}

std::size_t take_byte(std::string_view& rest) {
  const std::string_view head = take(rest, 1);
  return head.empty() ? 0 : static_cast<unsigned char>(head[0]);
}

std::string masked(const secrets::SecretSet& set, std::string_view stream, std::size_t seed) {
  secrets::MaskingStream masking(set);
  std::string out;
  while (!stream.empty()) {
    seed = seed * 1103515245U + 12345U;
    masking.feed(take(stream, seed == 0 ? stream.size() : 1 + (seed >> 16U) % 13), out);
  }
  masking.finish(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  secrets::SecretSet set;
  std::vector<std::string> accepted;
  for (std::size_t count = take_byte(rest) % 4; count > 0; --count) {
    const std::string value(take(rest, take_byte(rest) % 64));
    if (set.add(value) == secrets::Weakness::none) accepted.push_back(value);
  }
  const std::size_t seed = take_byte(rest);
  secrets::MaskingStream whole(set);
  std::string expected;
  whole.feed(rest, expected);
  whole.finish(expected);
  if (masked(set, rest, seed) != expected) std::abort();
  // A value with the mask's own character in it may appear again by what stands around a mask.
  for (const std::string& value : accepted) {
    if (value.find('*') == std::string::npos && expected.find(value) != std::string::npos) std::abort();
  }
  return 0;
}
