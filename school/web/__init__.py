"""What all pages share: access, errors, forms, pagination, navigation, security headers."""
