#include "source/s3_request.h"

#include <charconv>
#include <ctime>

#include <fmt/format.h>
#include <sodium.h>

#include "base/text.h"
#include "os/files.h"
#include "source/fetch_tool.h"
#include "source/git_files.h"

namespace slipway::source {

namespace {

constexpr std::size_t kMostSettings = 1U << 20U;

std::string hmac(std::string_view key, std::string_view text) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(key.data()), key.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::string result(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(result.data()));
  return result;
}

std::string encoded(std::string_view text, bool keep_slash) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      result.push_back(c);
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

std::string value_of(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? std::string() : found->second;
}

// The text between `<name>` and `</name>`; moves `from` behind it.
bool element(std::string_view xml, std::string_view name, std::size_t& from, std::string_view& inner) {
  const std::string open = fmt::format("<{}>", name), close = fmt::format("</{}>", name);
  const std::size_t begin = xml.find(open, from);
  if (begin == std::string_view::npos) return false;
  const std::size_t end = xml.find(close, begin);
  if (end == std::string_view::npos) return false;
  inner = xml.substr(begin + open.size(), end - begin - open.size());
  from = end + close.size();
  return true;
}

std::string text_of(std::string_view xml, std::string_view name) {
  std::size_t from = 0;
  std::string_view inner;
  if (!element(xml, name, from, inner)) return {};
  std::string text;
  constexpr std::pair<std::string_view, char> kNames[] = {
      {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&#34;", '"'}, {"&#39;", '\''}};
  while (!inner.empty()) {
    std::size_t used = 1;
    char c = inner.front();
    for (const auto& [written, meant] : kNames) {
      if (!inner.starts_with(written)) continue;
      c = meant;
      used = written.size();
      break;
    }
    text.push_back(c);
    inner.remove_prefix(used);
  }
  return text;
}

}  // namespace

S3Account s3_account(const std::map<std::string, std::string>& environment, const std::filesystem::path& home) {
  const auto first_of = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (std::string value = value_of(environment, name); !value.empty()) return value;
    }
    return std::string();
  };
  const auto file = [&](const char* variable, const char* name) {
    const std::string path = first_of({variable});
    const auto text = os::read_file(path.empty() ? home / ".aws" / name : std::filesystem::path(path), kMostSettings);
    return text ? parse_git_config(*text) : std::map<std::string, std::string>();  // the same form of file
  };
  std::string profile = first_of({"AWS_PROFILE", "AWS_DEFAULT_PROFILE"});
  if (profile.empty()) profile = "default";
  for (char& c : profile) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');  // parse_git_config has sections in lower case
  }
  const auto settings = file("AWS_CONFIG_FILE", "config");
  const auto setting = [&](const std::string& key) {
    const std::string own = value_of(settings, (profile == "default" ? "default." : "profile " + profile + ".") + key);
    return own;
  };
  S3Account account;
  account.region = first_of({"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (account.region.empty()) account.region = setting("region");
  if (account.region.empty()) account.region = "us-east-1";
  account.endpoint = first_of({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  if (account.endpoint.empty()) account.endpoint = setting("endpoint_url");
  if (account.endpoint.empty()) account.endpoint = fmt::format("https://s3.{}.amazonaws.com", account.region);
  while (account.endpoint.ends_with('/')) account.endpoint.pop_back();
  account.key_id = first_of({"AWS_ACCESS_KEY_ID"});
  account.secret = first_of({"AWS_SECRET_ACCESS_KEY"});
  account.token = first_of({"AWS_SESSION_TOKEN"});
  if (account.key_id.empty()) {
    const auto credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    account.key_id = value_of(credentials, profile + ".aws_access_key_id");
    account.secret = value_of(credentials, profile + ".aws_secret_access_key");
    account.token = value_of(credentials, profile + ".aws_session_token");
  }
  return account;
}

SignedRequest sign(const S3Request& request, const S3Account& account, Time now) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  const std::string stamp = text, day = stamp.substr(0, 8);

  const std::string path = "/" + encoded(request.bucket, false) + "/" + encoded(request.key, true);
  std::string query;
  for (const auto& [name, value] : request.query) {
    query += (query.empty() ? "" : "&") + encoded(name, false) + "=" + encoded(value, false);
  }
  SignedRequest result;
  result.url = account.endpoint + path + (query.empty() ? "" : "?" + query);
  const UrlParts parts = url_parts(account.endpoint);
  const std::string payload = sha256_hex("");
  std::map<std::string, std::string> headers = request.headers;
  headers["x-amz-content-sha256"] = payload;
  headers["x-amz-date"] = stamp;
  if (!account.token.empty()) headers["x-amz-security-token"] = account.token;
  for (const auto& [name, value] : headers) result.headers.push_back(name + ": " + value);
  if (account.key_id.empty()) return result;

  headers["host"] = parts.host + (parts.port.empty() ? "" : ":" + parts.port);
  std::string canonical, names;
  for (const auto& [name, value] : headers) {
    canonical += name + ":" + std::string(trim(value)) + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string whole =
      request.method + "\n" + path + "\n" + query + "\n" + canonical + "\n" + names + "\n" + payload;
  const std::string scope = day + "/" + account.region + "/s3/aws4_request";
  const std::string key = hmac(hmac(hmac(hmac("AWS4" + account.secret, day), account.region), "s3"), "aws4_request");
  const std::string signature =
      hex_of(hmac(key, "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + sha256_hex(whole)));
  result.headers.push_back(
      fmt::format("Authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", account.key_id,
                  scope, names, signature));
  return result;
}

Result<S3Listing> parse_listing(std::string_view xml) {
  if (xml.find("<ListBucketResult") == std::string_view::npos) {
    return fail(ErrorKind::invalid, "the answer is no listing of S3");
  }
  S3Listing listing;
  std::size_t from = 0;
  std::string_view entry;
  while (element(xml, "Contents", from, entry)) {
    S3Object object{text_of(entry, "Key"), text_of(entry, "ETag"), 0};
    const std::string size = text_of(entry, "Size");
    std::from_chars(size.data(), size.data() + size.size(), object.size);
    listing.objects.push_back(std::move(object));
  }
  if (text_of(xml, "IsTruncated") == "true") listing.next = text_of(xml, "NextContinuationToken");
  return listing;
}

}  // namespace slipway::source
