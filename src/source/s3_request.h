#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

/// S3 requests, signed here (AWS Signature Version 4): the key itself never reaches the tool that fetches, only the
/// signature of one request, which is good for 15 minutes.
namespace slipway::source {

struct S3Account {
  std::string endpoint;  ///< `https://host[:port]`, without a slash at its end
  std::string region;
  std::string key_id, secret, token;  ///< empty: anonymous
};

/// From AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID,
/// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, in the usual order.
/// `home`: where `.aws` is.
S3Account s3_account(const std::map<std::string, std::string>& environment, const std::filesystem::path& home);

struct S3Request {
  std::string method = "GET";
  std::string bucket, key;
  std::map<std::string, std::string> query;    ///< not encoded
  std::map<std::string, std::string> headers;  ///< lower case names; signed as well
};

struct SignedRequest {
  std::string url;
  std::vector<std::string> headers;  ///< `Name: value`
};

SignedRequest sign(const S3Request& request, const S3Account& account, Time now);

struct S3Object {
  std::string key, etag;
  std::uint64_t size = 0;
};
struct S3Listing {
  std::vector<S3Object> objects;
  std::string next;  ///< empty: that was all
};
/// Reads an answer of ListObjectsV2. `invalid`: it is none.
Result<S3Listing> parse_listing(std::string_view xml);

}  // namespace slipway::source
