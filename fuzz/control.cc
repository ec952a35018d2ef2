// Any bytes on a step's control socket and on the leash: frames come out the same however they are split, a request
// that is accepted survives being written and read again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wire/control.h"
#include "wire/leash.h"

using namespace slipway;

namespace {

constexpr std::size_t kMostBytes = 4096;

std::vector<std::string> unframed(std::string_view bytes, std::size_t at_once) {
  wire::control::Unframer unframer(kMostBytes);
  std::vector<std::string> frames;
  while (!bytes.empty()) {
    const std::size_t count = std::min({at_once, bytes.size(), std::max<std::size_t>(unframer.wanted(), 1)});
    if (!unframer.feed(bytes.substr(0, count))) break;
    bytes.remove_prefix(count);
    while (auto frame = unframer.next()) frames.push_back(std::move(*frame));
  }
  return frames;
}

void decode(const std::string& text) {
  if (const auto request = wire::control::decode_request(text)) {
    const std::string again = wire::control::encode(*request);
    const auto twice = wire::control::decode_request(again);
    if (!twice || wire::control::encode(*twice) != again) std::abort();
  }
  (void)wire::control::decode_answer(text);  // an error is an answer too
  (void)wire::decode_to_owner(text);
  (void)wire::decode_to_init(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> frames = unframed(bytes, size);
  if (unframed(bytes, 1) != frames || unframed(bytes, 3) != frames) std::abort();
  for (const std::string& frame : frames) decode(frame);
  decode(std::string(bytes));
  return 0;
}
