#include "chain/siwe.h"

#include "chain/uri.h"

namespace cce::chain {
namespace {

constexpr std::string_view kWants = " wants you to sign in with your Ethereum account:";

std::string Shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out.push_back(c >= ' ' && c < 127 ? c : '?');
  return out;
}

// The message's lines, one after the other.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return at_end_; }
  std::string_view Peek() const { return rest_.substr(0, rest_.find('\n')); }
  std::string_view Take() {
    const std::string_view line = Peek();
    if (line.size() == rest_.size()) {
      at_end_ = true;
      rest_ = {};
    } else {
      rest_.remove_prefix(line.size() + 1);
    }
    ++number_;
    return line;
  }
  // What follows `tag` on the next line; none where the line begins otherwise or there is none.
  std::optional<std::string> TakeTagged(std::string_view tag) {
    if (at_end_ || !Peek().starts_with(tag)) return std::nullopt;
    return std::string(Take().substr(tag.size()));
  }
  Unexpected Bad(std::string expected) const {
    return Fail(MakeError("signin.malformed",
                          "the sign-in message is malformed at line " + std::to_string(number_ + 1))
                    .Expected(std::move(expected))
                    .Found(at_end_ ? "the end" : Shown(Peek())));
  }

 private:
  std::string_view rest_;
  bool at_end_ = false;
  int number_ = 0;
};

// 1*( reserved / unreserved / " " )
bool IsStatement(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(" -._~:/?#[]@!$&'()*+,;=").find(c) != std::string_view::npos;
  });
}

bool IsNonce(std::string_view text) {
  return text.size() >= 8 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
         });
}

Result<uint64_t> ParseChainId(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) {
    return Fail("input.malformed", "a chain id is not a decimal number");
  }
  ASSIGN_OR_RETURN(const U256 value, U256::FromDecimal(text));
  return value.ToU64();
}

Result<> ParseHead(Lines& lines, SiweMessage& out) {
  const std::string expected = "[scheme://]domain" + std::string(kWants);
  std::string_view domain = lines.Peek();
  if (!domain.ends_with(kWants)) return lines.Bad(expected);
  domain.remove_suffix(kWants.size());
  if (const size_t mark = domain.find("://"); mark != std::string_view::npos) {
    out.scheme = std::string(domain.substr(0, mark));
    if (!IsUriScheme(*out.scheme)) return lines.Bad(expected);
    domain.remove_prefix(mark + 3);
  }
  if (domain.empty() || !IsUriAuthority(domain)) return lines.Bad(expected);
  out.domain = std::string(domain);
  lines.Take();

  const auto address = ParseChecksumAddress(lines.Peek());
  if (lines.AtEnd() || !address) return lines.Bad("an address with its EIP-55 checksum");
  out.address = *address;
  lines.Take();

  if (lines.AtEnd() || !lines.Peek().empty()) return lines.Bad("an empty line");
  lines.Take();
  if (!lines.AtEnd() && !lines.Peek().empty()) {
    if (!IsStatement(lines.Peek())) return lines.Bad("a statement of URI characters and spaces");
    out.statement = std::string(lines.Take());
  }
  if (lines.AtEnd() || !lines.Peek().empty()) return lines.Bad("an empty line");
  lines.Take();
  return {};
}

Result<> ParseRequired(Lines& lines, SiweMessage& out) {
  // Fails at the line that was read last where `good` is false.
  const auto tagged = [&](std::string_view tag, std::string_view form, auto good) -> Result<> {
    const Lines before = lines;
    const auto value = lines.TakeTagged(tag);
    if (!value || !good(*value)) return before.Bad(std::string(tag) + std::string(form));
    return {};
  };
  TRY(tagged("URI: ", "an RFC 3986 URI", [&](const std::string& value) {
    out.uri = value;
    return IsUri(value);
  }));
  TRY(tagged("Version: ", "1", [](const std::string& value) { return value == "1"; }));
  TRY(tagged("Chain ID: ", "a decimal number", [&](const std::string& value) {
    const auto id = ParseChainId(value);
    out.chain_id = id.value_or(0);
    return id.has_value();
  }));
  TRY(tagged("Nonce: ", "8 or more letters and digits", [&](const std::string& value) {
    out.nonce = value;
    return IsNonce(value);
  }));
  return tagged("Issued At: ", "an RFC 3339 time", [&](const std::string& value) {
    out.issued_at = value;
    return ParseTime(value).has_value();
  });
}

Result<> ParseOptional(Lines& lines, SiweMessage& out) {
  Lines before = lines;
  out.expiration_time = lines.TakeTagged("Expiration Time: ");
  if (out.expiration_time && !ParseTime(*out.expiration_time)) {
    return before.Bad("Expiration Time: an RFC 3339 time");
  }
  before = lines;
  out.not_before = lines.TakeTagged("Not Before: ");
  if (out.not_before && !ParseTime(*out.not_before)) {
    return before.Bad("Not Before: an RFC 3339 time");
  }
  before = lines;
  out.request_id = lines.TakeTagged("Request ID: ");
  if (out.request_id && !IsPathChars(*out.request_id)) {
    return before.Bad("Request ID: RFC 3986 path characters");
  }
  if (lines.AtEnd() || lines.Peek() != "Resources:") return {};
  lines.Take();
  out.resources.emplace();
  while (!lines.AtEnd()) {
    before = lines;
    auto resource = lines.TakeTagged("- ");
    if (!resource || !IsUri(*resource)) return before.Bad("- an RFC 3986 URI");
    out.resources->push_back(std::move(*resource));
  }
  return {};
}

Unexpected Refuse(std::string_view code, std::string message, std::string expected,
                  std::string found) {
  Error error = MakeError(code, std::move(message));
  return Fail(std::move(error).Expected(std::move(expected)).Found(std::move(found)));
}

Result<> CheckTimes(const SiweMessage& message, const SiweExpectations& expected) {
  const std::string now = FormatTime(expected.now);
  ASSIGN_OR_RETURN(const UnixSeconds issued, ParseTime(message.issued_at));
  if (issued > expected.now && issued - expected.now > expected.max_ahead) {
    return Refuse("signin.not_yet_valid", "the sign-in message was issued in the future",
                  "at or before " + now, message.issued_at);
  }
  if (message.not_before) {
    ASSIGN_OR_RETURN(const UnixSeconds not_before, ParseTime(*message.not_before));
    if (expected.now < not_before) {
      return Refuse("signin.not_yet_valid", "the sign-in message is not valid yet",
                    "not before " + *message.not_before, now);
    }
  }
  if (!message.expiration_time) {
    if (expected.max_lifetime == 0) return {};
    return Refuse("signin.expired", "the sign-in message holds for ever",
                  "an expiration time within " + std::to_string(expected.max_lifetime) + " s",
                  "none");
  }
  ASSIGN_OR_RETURN(const UnixSeconds expires, ParseTime(*message.expiration_time));
  if (expected.now >= expires) {
    return Refuse("signin.expired", "the sign-in message has expired",
                  "before " + *message.expiration_time, now);
  }
  if (expected.max_lifetime != 0 && expires - issued > expected.max_lifetime) {
    return Refuse("signin.expired", "the sign-in message would hold for too long",
                  "at most " + std::to_string(expected.max_lifetime) + " s",
                  std::to_string(expires - issued) + " s");
  }
  return {};
}

std::string Joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out.empty() ? "none" : out;
}

Result<> CheckFields(const SiweMessage& message, const SiweExpectations& expected) {
  if (message.domain != expected.domain) {
    return Refuse("signin.domain", "the sign-in message is for another domain", expected.domain,
                  message.domain);
  }
  if (message.scheme && *message.scheme != expected.uri.substr(0, expected.uri.find(':'))) {
    return Refuse("signin.domain", "the sign-in message is for another scheme",
                  expected.uri.substr(0, expected.uri.find(':')), *message.scheme);
  }
  if (message.uri != expected.uri) {
    return Refuse("signin.uri", "the sign-in message is for another URI", expected.uri,
                  message.uri);
  }
  if (message.chain_id != expected.chain_id) {
    return Refuse("signin.chain_id", "the sign-in message is for another chain",
                  std::to_string(expected.chain_id), std::to_string(message.chain_id));
  }
  if (message.nonce != expected.nonce) {
    return Fail("signin.nonce", "the sign-in message's nonce is not the one that was given out");
  }
  TRY(CheckTimes(message, expected));
  const auto resources = message.resources.value_or(std::vector<std::string>());
  if (expected.resources && resources != *expected.resources) {
    return Refuse("signin.resources", "the sign-in message names other resources",
                  Joined(*expected.resources), Joined(resources));
  }
  return {};
}

}  // namespace

Result<SiweMessage> ParseSiwe(std::string_view text) {
  if (text.size() > kMaxSiweSize) {
    return Fail("signin.malformed", "the sign-in message is larger than 8 KiB");
  }
  SiweMessage out;
  Lines lines(text);
  TRY(ParseHead(lines, out));
  TRY(ParseRequired(lines, out));
  TRY(ParseOptional(lines, out));
  if (!lines.AtEnd()) return lines.Bad("the end, or a known field in the prescribed order");
  return out;
}

Result<std::string> RenderSiwe(const SiweMessage& message) {
  std::string out = message.scheme ? *message.scheme + "://" : "";
  out += message.domain + std::string(kWants) + "\n" + FormatAddress(message.address) + "\n\n";
  if (message.statement) out += *message.statement + "\n";
  out += "\nURI: " + message.uri + "\nVersion: 1\nChain ID: " + std::to_string(message.chain_id) +
         "\nNonce: " + message.nonce + "\nIssued At: " + message.issued_at;
  if (message.expiration_time) out += "\nExpiration Time: " + *message.expiration_time;
  if (message.not_before) out += "\nNot Before: " + *message.not_before;
  if (message.request_id) out += "\nRequest ID: " + *message.request_id;
  if (message.resources) {
    out += "\nResources:";
    for (const std::string& resource : *message.resources) out += "\n- " + resource;
  }
  // A field with a line break or the like would be read back as something else.
  ASSIGN_OR_RETURN(const SiweMessage again, ParseSiwe(out));
  if (again != message) {
    return Fail("signin.malformed", "a field of the sign-in message cannot be written");
  }
  return out;
}

Result<SiweMessage> VerifySiwe(std::string_view text, ByteView signature,
                               const SiweExpectations& expected, const ContractWallets* contracts) {
  ASSIGN_OR_RETURN(SiweMessage message, ParseSiwe(text));
  TRY(CheckFields(message, expected));
  if (auto signer = VerifySigner(message.address, PersonalDigest(text), signature, contracts);
      !signer) {
    Error error = std::move(signer).error();
    if (error.code == "signer.mismatch") error.code = "signin.signature";
    return Fail(std::move(error));
  }
  return message;
}

}  // namespace cce::chain
