# What every sandbox gets for programs that speak to their job, laid out as it is mounted: readable by all, Python
# compiled ahead, since nothing can be written there. Ends beside slipway, which looks for it there.
# Found and not listed, unlike our sources: one that was forgotten would be missed by nobody but a job that imports it.
file(GLOB sdk_files RELATIVE ${PROJECT_SOURCE_DIR}/sdk CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/sdk/python/slipway/*.py ${PROJECT_SOURCE_DIR}/sdk/python/slipway/py.typed
  ${PROJECT_SOURCE_DIR}/sdk/python/runnerlib/*.py ${PROJECT_SOURCE_DIR}/sdk/python/runnerlib/py.typed)
list(TRANSFORM sdk_files PREPEND ${PROJECT_SOURCE_DIR}/sdk/ OUTPUT_VARIABLE sdk_inputs)
set(sdk_header ${PROJECT_SOURCE_DIR}/sdk/cpp/slipway.hpp)
add_custom_command(
  OUTPUT ${PROJECT_BINARY_DIR}/sdk/.made
  COMMAND ${CMAKE_COMMAND} -DFROM=${PROJECT_SOURCE_DIR}/sdk -DTO=${PROJECT_BINARY_DIR}/sdk "-DFILES=${sdk_files}"
          -DHEADER=${sdk_header} -P ${CMAKE_CURRENT_SOURCE_DIR}/lay_out_sdk.cmake
  DEPENDS ${sdk_inputs} ${sdk_header} ${CMAKE_CURRENT_SOURCE_DIR}/lay_out_sdk.cmake
  COMMENT "Laying out what sandboxes have at /job/.slipway"
  VERBATIM)
add_custom_target(slipway-sdk DEPENDS ${PROJECT_BINARY_DIR}/sdk/.made)
