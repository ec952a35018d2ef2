# Every warning is an error: the gate (tools/check) and a user's build see the same thing.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives of these inside std::string and std::variant when it inlines them.
  add_compile_options(-Wno-restrict -Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-array-bounds
                      -Wno-stringop-overflow -Wno-stringop-overread -Wno-missing-field-initializers)
else()
  # deprecated: libstdc++ 12 uses its own std::get_temporary_buffer in stable_sort.
  add_compile_options(-Wno-missing-field-initializers -Wno-missing-designated-field-initializers -Wno-deprecated-declarations)
endif()
