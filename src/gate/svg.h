// What an SVG says: its shapes counted, and the text that plotting programs draw as glyphs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cce::gate {

struct SvgFacts {
  size_t most_points = 0;         // of one open path or polyline outside <defs>
  size_t most_closed_points = 0;  // of one closed path or polygon
  size_t markers =
      0;  // circles, ellipses, rectangles, and uses of one same symbol that is no glyph
  bool script = false;  // <script>, <foreignObject>, or an on... attribute
  std::string
      glyph_text;  // text drawn as <use> of glyphs that are named by number ("#DejaVuSans-35")
};

// A tolerant scan; never fails, linear time. `text`: valid UTF-8.
SvgFacts ReadSvg(std::string_view text);

}  // namespace cce::gate
