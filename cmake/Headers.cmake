# Headers that most files include, parsed once: a clean build takes half the time. Files include what
# they use all the same: `./test lint` reads them without this.

# An object library NAME to REUSE_FROM, with the compile OPTIONS of the targets that do.
function(_cce_headers name)
  cmake_parse_arguments(A "" "" "OPTIONS;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}.cc CONTENT "// Has ${name} compiled.\n")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/generated/${name}.cc)
  target_compile_options(${name} PRIVATE ${A_OPTIONS})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp)  # else ccache never finds one
  endif()
  target_precompile_headers(${name} PRIVATE ${A_HEADERS})
endfunction()

set(common_headers
    <algorithm> <array> <chrono> <condition_variable> <cstdint> <functional> <map> <memory> <mutex>
    <optional> <set> <span> <sstream> <string> <string_view> <thread> <unordered_map> <variant> <vector>
    <boost/json/array.hpp> <boost/json/object.hpp> <boost/json/value.hpp> <tl/expected.hpp>)
# A test's own code is a third of what is compiled and not worth optimising.
set(CCE_TEST_OPTIONS -O0 -Wp,-U_FORTIFY_SOURCE)
_cce_headers(cce_headers HEADERS ${common_headers})
_cce_headers(cce_test_headers HEADERS ${common_headers} <gmock/gmock.h> <gtest/gtest.h>
             OPTIONS ${CCE_TEST_OPTIONS})
target_link_libraries(cce_test_headers PRIVATE GTest::gmock)
