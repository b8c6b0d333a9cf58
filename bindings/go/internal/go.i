/* go.i: how C's kinds look in the low level of the Go binding, for both of its packages.
 *
 * A handle or an error is a C pointer under a name of its own, and an `X **out` is where Go wants it put: package kq makes Go values
 * of them.  Only what USE names is wrapped.  The rest Go has by hand (records, arrays of partitions) or as constants made from kq.h
 * (codes.go), so a header that grows changes nothing here. */
%define HANDLE(c_type, go_type)
%typemap(gotype) c_type *, const c_type * "go_type"
%typemap(gotype) c_type **out "*go_type"
%typemap(in) c_type **out "$1 = $input;"
%enddef
%define USE(c_name, go_name)
%rename("go_name") c_name;
%enddef

%typemap(gotype) int64_t *out "*int64"
%typemap(gotype) int32_t *out "*int32"
%typemap(gotype) int32_t "int32"
%typemap(gotype) kq_verdict "int"

%rename("$ignore") "";
