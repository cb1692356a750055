#include "protocol/key_release.h"

#include <cstring>

#include "crypto/hpke.h"
#include "crypto/signed.h"

namespace cce::protocol {
namespace {

constexpr size_t kKeySize = 32;
constexpr size_t kMaxBundle = size_t{2} << 20;

Result<Document> Parse(std::string_view text, std::string name) {
  return ParseJsonDocument(text, std::move(name), {.max_bytes = 1 << 20});
}

Bytes EnvelopeInfo(const ReportData& report_data) {
  return Frame("cce4long/v1/key-bundle", {report_data});
}

Bytes SignedPart(const ReportData& report_data, ByteView envelope) {
  return Frame("cce4long/v1/key-bundle-signature", {report_data, envelope});
}

json::object BundleHead(const KeyBundle& bundle) {
  json::array datasets;
  for (const ReleasedDataset& dataset : bundle.datasets) {
    json::array epochs;
    for (const EpochKey& key : dataset.keys) epochs.push_back(key.epoch);
    datasets.push_back(json::object{{"dataset", AddressText(dataset.dataset)},
                                    {"snapshot", ToHex(dataset.snapshot)},
                                    {"access_mode", dataset.access_mode},
                                    {"epochs", std::move(epochs)}});
  }
  return {{"version", 1},
          {"job", ToHex(bundle.job)},
          {"attempt", bundle.attempt},
          {"job_spec", ToBase64(bundle.job_spec)},
          {"datasets", std::move(datasets)},
          {"storage_token", bundle.storage_token},
          {"submit_credential", bundle.submit_credential}};
}

}  // namespace

json::object ToJsonObject(const ChallengeRequest& message) {
  return {{"credential", message.credential}};
}

Result<ChallengeRequest> ReadChallengeRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, Parse(text, "challenge request"));
  Fields f(document);
  ChallengeRequest out{f.String("credential", {.min = 1, .max = 16384})};
  TRY(f.Finish());
  return out;
}

json::object ToJsonObject(const ChallengeReply& message) {
  return {{"challenge", ToHex(message.challenge)}, {"expires_at", message.expires_at}};
}

Result<ChallengeReply> ReadChallengeReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, Parse(text, "challenge reply"));
  Fields f(document);
  ChallengeReply out;
  out.challenge = HexField<32>(f, "challenge");
  out.expires_at = static_cast<UnixSeconds>(f.Uint("expires_at", {.max = INT64_MAX}));
  TRY(f.Finish());
  return out;
}

json::object ToJsonObject(const KeysRequest& message) {
  return {{"credential", message.credential},
          {"challenge", ToHex(message.challenge)},
          {"request_id", ToHex(message.request_id)},
          {"public_key", ToHex(message.public_key)},
          {"suite", message.suite},
          {"evidence", ToBase64(message.evidence)}};
}

Result<KeysRequest> ReadKeysRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, Parse(text, "keys request"));
  Fields f(document);
  KeysRequest out;
  out.credential = f.String("credential", {.min = 1, .max = 16384});
  out.challenge = HexField<32>(f, "challenge");
  out.request_id = HexField<16>(f, "request_id");
  out.public_key = HexField<65>(f, "public_key");
  out.suite = f.String("suite", {.min = 1, .max = 64});
  out.evidence = f.Base64("evidence", kMaxEvidence);
  TRY(f.Finish());
  return out;
}

json::object ToJsonObject(const KeysReply& message) {
  return {{"envelope", ToBase64(message.envelope)},
          {"identity_key", ToHex(message.identity_key)},
          {"signature", ToHex(message.signature)}};
}

Result<KeysReply> ReadKeysReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "keys reply", {.max_bytes = 2 * kMaxBundle}));
  Fields f(document);
  KeysReply out;
  out.envelope = f.Base64("envelope", kMaxBundle);
  out.identity_key = HexField<65>(f, "identity_key");
  out.signature = HexField<64>(f, "signature");
  TRY(f.Finish());
  return out;
}

SecretBytes EncodeKeyBundle(const KeyBundle& bundle) {
  const std::string head = ToJson(BundleHead(bundle));
  size_t keys = 1;
  for (const ReleasedDataset& dataset : bundle.datasets) keys += dataset.keys.size();
  SecretBytes out(4 + head.size() + keys * kKeySize);
  uint8_t* p = out.ExposeMutable().data();
  Bytes length;
  AppendU32(length, static_cast<uint32_t>(head.size()));
  std::memcpy(p, length.data(), 4);
  // Bytes, no C string. NOLINTNEXTLINE(bugprone-not-null-terminated-result)
  std::memcpy(p + 4, head.data(), head.size());
  p += 4 + head.size();
  std::memcpy(p, bundle.rek.Expose().data(), kKeySize);
  for (const ReleasedDataset& dataset : bundle.datasets) {
    for (const EpochKey& key : dataset.keys) {
      p += kKeySize;
      std::memcpy(p, key.dek.Expose().data(), kKeySize);
    }
  }
  return out;
}

Result<KeyBundle> DecodeKeyBundle(ByteView bytes) {
  ByteReader reader(bytes);
  ASSIGN_OR_RETURN(const ByteView head, reader.Prefixed32(kMaxBundle));
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(AsText(head), "key bundle", {.max_bytes = kMaxBundle}));
  KeyBundle out;
  ASSIGN_OR_RETURN(const ByteView rek, reader.Take(kKeySize));
  out.rek = SecretBytes::CopyOf(rek);
  Fields f(document);
  f.Uint("version", {.min = 1, .max = 1});
  out.job = HexField<16>(f, "job");
  out.attempt = static_cast<uint32_t>(f.Uint("attempt", {.min = 1, .max = UINT32_MAX}));
  out.job_spec = f.Base64("job_spec", 1 << 20);
  for (Fields& item : f.Objects("datasets", {.min = 1, .max = 16})) {
    ReleasedDataset& dataset = out.datasets.emplace_back();
    dataset.dataset = HexField<20>(item, "dataset");
    dataset.snapshot = HexField<32>(item, "snapshot");
    dataset.access_mode = item.Choice("access_mode", {"prefetch", "demand"});
    const json::value* epochs = item.Raw("epochs");
    if (epochs == nullptr || !epochs->is_array() || epochs->get_array().size() > 1024) {
      item.Reject("epochs", "must be a list of at most 1024 numbers");
      break;
    }
    for (const json::value& epoch : epochs->get_array()) {
      json::error_code ec;
      const auto number = epoch.to_number<uint32_t>(ec);
      if (ec) item.Reject("epochs", "holds no number");
      ASSIGN_OR_RETURN(const ByteView dek, reader.Take(kKeySize));
      dataset.keys.push_back({number, SecretBytes::CopyOf(dek)});
    }
  }
  out.storage_token = f.String("storage_token", {.max = 256});
  out.submit_credential = f.String("submit_credential", {.min = 1, .max = 16384});
  TRY(f.Finish());
  TRY(reader.ExpectEnd());
  return out;
}

Result<KeysReply> SealKeyBundle(const KeyBundle& bundle, ByteView cvm_public_key,
                                const ReportData& report_data,
                                const crypto::P256PrivateKey& identity_key) {
  KeysReply reply;
  const SecretBytes plaintext = EncodeKeyBundle(bundle);
  ASSIGN_OR_RETURN(reply.envelope, crypto::HpkeSeal(cvm_public_key, EnvelopeInfo(report_data), {},
                                                    plaintext.Expose()));
  reply.identity_key = identity_key.public_key();
  ASSIGN_OR_RETURN(reply.signature, identity_key.Sign(SignedPart(report_data, reply.envelope)));
  return reply;
}

Result<KeyBundle> OpenKeyBundle(const KeysReply& reply, const crypto::P256PrivateKey& cvm_key,
                                const ReportData& report_data, const Digest32& identity_key_id) {
  if (crypto::KeyId(reply.identity_key) != identity_key_id) {
    return Fail(MakeError("keys.wrong_cced", "the key bundle comes from another cced")
                    .Expected(ToHex(identity_key_id))
                    .Found(ToHex(crypto::KeyId(reply.identity_key))));
  }
  TRY(crypto::P256Verify(reply.identity_key, SignedPart(report_data, reply.envelope),
                         reply.signature));
  ASSIGN_OR_RETURN(const SecretBytes plaintext,
                   crypto::HpkeOpen(cvm_key, EnvelopeInfo(report_data), {}, reply.envelope));
  return DecodeKeyBundle(plaintext.Expose());
}

}  // namespace cce::protocol
