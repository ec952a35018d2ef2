# `tests`: every unit test binary. `check-headers`: each header of src/ compiled alone, without the precompiled one.
# `fuzzers`: every target of fuzz/. Call slipway_checks() after the modules.
function(slipway_checks)
  get_property(tests GLOBAL PROPERTY SLIPWAY_TEST_TARGETS)
  add_custom_target(tests DEPENDS ${tests})

  # Globbed, unlike sources: a header that nobody lists is exactly the one to check.
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR}/src CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.h)
  # What tests share stands on definitions of their target.
  list(FILTER headers EXCLUDE REGEX "test_support\\.h$")
  set(units "")
  foreach(header IN LISTS headers)
    string(REPLACE "/" "_" unit ${header})
    set(unit ${PROJECT_BINARY_DIR}/headers/${unit}.cc)
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${header}\"  // IWYU pragma: keep\n#include \"${header}\"\n")
    list(APPEND units ${unit})
  endforeach()
  add_library(check-headers OBJECT EXCLUDE_FROM_ALL ${units})
  target_include_directories(check-headers PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(check-headers PRIVATE fmt::fmt-header-only)
  set_target_properties(check-headers PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)

  if(SLIPWAY_BENCH)
    add_subdirectory(${PROJECT_SOURCE_DIR}/bench)
  endif()
  if(SLIPWAY_FUZZ)
    add_subdirectory(${PROJECT_SOURCE_DIR}/fuzz)
    get_property(fuzzers GLOBAL PROPERTY SLIPWAY_FUZZ_TARGETS)
    add_custom_target(fuzzers DEPENDS ${fuzzers})
  endif()
endfunction()

# slipway_fuzz(NAME DEPS module ...): fuzz/NAME.cc, which defines LLVMFuzzerTestOneInput. Seeds: fuzz/corpus/NAME/.
function(slipway_fuzz name)
  cmake_parse_arguments(F "" "" "DEPS" ${ARGN})
  add_executable(fuzz_${name} ${name}.cc)
  list(TRANSFORM F_DEPS PREPEND slipway_ OUTPUT_VARIABLE deps)
  target_link_libraries(fuzz_${name} PRIVATE ${deps})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzzers EXCLUDE_FROM_ALL ON)
  set_property(GLOBAL APPEND PROPERTY SLIPWAY_FUZZ_TARGETS fuzz_${name})
endfunction()
