# slipway-init: fully static, so that it runs in any image; small, because it is in every sandbox.
add_executable(slipway-init init_main.cc)
target_link_libraries(slipway-init PRIVATE slipway_init slipway_sandbox $<$<BOOL:${SLIPWAY_STATIC_INIT}>:-static>)
target_link_options(slipway-init PRIVATE -Wl,--gc-sections -s)
set_target_properties(slipway-init PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
