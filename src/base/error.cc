#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace slipway {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid: return "invalid";
    case ErrorKind::not_found: return "not_found";
    case ErrorKind::conflict: return "conflict";
    case ErrorKind::denied: return "denied";
    case ErrorKind::exhausted: return "exhausted";
    case ErrorKind::unavailable: return "unavailable";
    case ErrorKind::timeout: return "timeout";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::internal: return "internal";
  }
  return "internal";
}

namespace {

ErrorKind kind_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH: return ErrorKind::not_found;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorKind::denied;
    case EEXIST:
    case EBUSY: return ErrorKind::conflict;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EFBIG: return ErrorKind::exhausted;
    case EAGAIN:
    case ECONNREFUSED:
    case EPIPE:
    case ECONNRESET: return ErrorKind::unavailable;
    case ETIMEDOUT: return ErrorKind::timeout;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP: return ErrorKind::invalid;
    default: return ErrorKind::internal;
  }
}

}  // namespace

std::unexpected<Error> fail_errno(int error_number, std::string_view doing) {
  char buffer[128];
  const char* text = ::strerror_r(error_number, buffer, sizeof buffer);
  return fail(kind_of(error_number), std::string(doing) + ": " + text);
}

std::unexpected<Error> wrap(Error error, std::string_view doing) {
  error.what.insert(0, std::string(doing) + ": ");
  return std::unexpected<Error>(std::move(error));
}

void assert_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "slipway: bug: %s (%s) at %s:%d\n", why, condition, file, line);
  std::abort();
}

}  // namespace slipway
