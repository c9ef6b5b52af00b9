"""The published Sparkplug B layout for the protobuf package, so that somebody else's code reads what ours writes.

Field numbers and types are facts of the specification; the classes are made at run time, no compiler is needed.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# message: fields as "name number type", * for a list, ? for one of the alternatives of a value
_LAYOUT = {
    "Payload": "timestamp 1 uint64, metrics 2 Metric*, seq 3 uint64, uuid 4 string, body 5 bytes",
    "Metric": "name 1 string, alias 2 uint64, timestamp 3 uint64, datatype 4 uint32, is_historical 5 bool,"
    " is_transient 6 bool, is_null 7 bool, metadata 8 MetaData, properties 9 PropertySet, int_value 10 uint32?,"
    " long_value 11 uint64?, float_value 12 float?, double_value 13 double?, boolean_value 14 bool?,"
    " string_value 15 string?, bytes_value 16 bytes?",
    "MetaData": "is_multi_part 1 bool, content_type 2 string, size 3 uint64, seq 4 uint64, description 8 string",
    "PropertySet": "keys 1 string*, values 2 PropertyValue*",
    "PropertyValue": "type 1 uint32, is_null 2 bool, int_value 3 uint32?, long_value 4 uint64?, float_value 5 float?,"
    " double_value 6 double?, boolean_value 7 bool?, string_value 8 string?",
}
_FIELD = descriptor_pb2.FieldDescriptorProto


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="spb.proto", package="spb", syntax="proto2")
    for name, fields in _LAYOUT.items():
        message = file.message_type.add(name=name)
        message.oneof_decl.add(name="value") if "?" in fields else None
        for words in fields.split(","):
            field_name, number, kind = words.split()
            label = _FIELD.LABEL_REPEATED if kind.endswith("*") else _FIELD.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=int(number), label=label)
            if kind.endswith("?"):
                field.oneof_index = 0
            kind = kind.rstrip("*?")
            if kind in _LAYOUT:
                field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".spb.{kind}"
            else:
                field.type = getattr(_FIELD, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"spb.{name}")) for name in _LAYOUT}


_MADE = _classes()
PAYLOAD, METRIC = _MADE["Payload"], _MADE["Metric"]


def value_of(metric: Any) -> Any:
    """The value as a host reads it: None for a null, signed where the type is."""
    if metric.is_null:
        return None
    name = metric.WhichOneof("value")
    value = getattr(metric, name) if name else None
    return value - (1 << 64) if name == "long_value" and value >> 63 else value
