// RFC 3986 by its ABNF: yes or no.
#pragma once

#include <string_view>

namespace cce::chain {

// scheme ":" hier-part [ "?" query ] [ "#" fragment ].
bool IsUri(std::string_view text);
// [ userinfo "@" ] host [ ":" port ]; may be empty, as in the RFC.
bool IsUriAuthority(std::string_view text);
bool IsUriScheme(std::string_view text);
// *pchar
bool IsPathChars(std::string_view text);

}  // namespace cce::chain
