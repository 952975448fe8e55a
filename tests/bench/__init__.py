"""The bench: what a preview of many models costs, beside what the SDK alone and the engine alone cost."""
