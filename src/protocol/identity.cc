#include "protocol/identity.h"

#include "protocol/key_release.h"

namespace cce::protocol {
namespace {

json::array ToArray(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

}  // namespace

Bytes EncodeIdentity(const IdentityDocument& d) {
  return ToBytes(ToJson(json::object{{"version", 1},
                                     {"identity_key", ToHex(d.identity_key)},
                                     {"review_key", ToHex(d.review_key)},
                                     {"log_key", ToHex(d.log_key)},
                                     {"log_origin", d.log_origin},
                                     {"tls_key", ToHex(d.tls_key)},
                                     {"root_key_source", d.root_key_source},
                                     {"roots", ToArray(d.roots)},
                                     {"chain_id", d.chain_id},
                                     {"chain_endpoints", ToArray(d.chain_endpoints)},
                                     {"finality", d.finality},
                                     {"configuration", ToHex(d.configuration)},
                                     {"development", ToArray(d.development)}}));
}

Result<IdentityDocument> DecodeIdentity(ByteView bytes) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(AsText(bytes), "identity document"));
  Fields f(document);
  IdentityDocument d;
  f.Uint("version", {.min = 1, .max = 1});
  d.identity_key = HexField<65>(f, "identity_key");
  d.review_key = HexField<65>(f, "review_key");
  d.log_key = HexField<32>(f, "log_key");
  d.log_origin = f.String("log_origin", {.min = 1, .max = 200});
  d.tls_key = HexField<32>(f, "tls_key");
  d.root_key_source = f.Choice("root_key_source", {"tpm2", "snp", "dstack", "file"});
  d.roots = f.Strings("roots", {.max = 32});
  d.chain_id = f.Uint("chain_id", {.min = 1});
  d.chain_endpoints = f.Strings("chain_endpoints", {.min = 1, .max = 16});
  d.finality = f.String("finality", {.max = 32});
  d.configuration = HexField<32>(f, "configuration");
  d.development = f.Strings("development", {.max = 32});
  TRY(f.Finish());
  return d;
}

json::object ToJsonObject(const IdentityReply& reply) {
  return {{"document", ToBase64(reply.document)},
          {"evidence", ToBase64(reply.evidence)},
          {"collateral", reply.collateral}};
}

Result<IdentityReply> ReadIdentityReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "identity reply", {.max_bytes = size_t{4} << 20}));
  Fields f(document);
  IdentityReply reply;
  reply.document = f.Base64("document", 1 << 16);
  reply.evidence = f.Base64("evidence", kMaxEvidence);
  reply.collateral = f.String("collateral", {.max = size_t{2} << 20});
  TRY(f.Finish());
  return reply;
}

}  // namespace cce::protocol
