# Run by sdk.cmake: copies FILES from FROM to TO, HEADER to TO/include, and compiles what is
# Python for the versions of this machine.
file(REMOVE_RECURSE ${TO})
foreach(name ${FILES})
  get_filename_component(directory ${TO}/${name} DIRECTORY)
  file(COPY ${FROM}/${name} DESTINATION ${directory})
endforeach()
file(COPY ${HEADER} DESTINATION ${TO}/include)
# The files never change without being laid out again: nobody has to look whether they did.
foreach(python python3 /usr/bin/python3)
  execute_process(COMMAND ${python} -m compileall -q --invalidation-mode unchecked-hash ${TO}/python
                  OUTPUT_QUIET ERROR_QUIET RESULT_VARIABLE ignored)
endforeach()
execute_process(COMMAND chmod -R u=rwX,go=rX ${TO})
file(WRITE ${TO}/.made "")
