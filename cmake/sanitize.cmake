# SLIPWAY_SANITIZE: what goes behind -fsanitize= for everything built here (see CMakePresets.json), or empty.
set(SLIPWAY_SANITIZE "" CACHE STRING "sanitizers, as -fsanitize= takes them")
if(SLIPWAY_SANITIZE)
  add_compile_options(-fsanitize=${SLIPWAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLIPWAY_SANITIZE})
  if(SLIPWAY_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # fences in std: known to TSan's authors, nothing of ours
  endif()
  # A sanitizer's run-time library cannot be linked statically.
  set(SLIPWAY_STATIC_INIT OFF)
else()
  set(SLIPWAY_STATIC_INIT ON)
endif()
